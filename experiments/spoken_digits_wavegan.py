"""Spoken digits by their label, as waveforms: WaveGAN (Donahue et al., 2019), small.

    gan-jax train experiments/spoken_digits_wavegan.py --data.source.path recordings
    gan-jax sample runs/spoken_digits_wavegan --label 7 --out sevens.wav

The recordings of `spoken_digits_spectrogram.py`. Networks are a quarter as wide as published, for
waveforms of a quarter of the published length; layers of the generator repeat positions before they
convolve, which avoids artefacts with the period of their stride. The critic takes one step per step
of the generator, at twice its learning rate (Heusel et al., 2017).

Not measured yet.
"""

from spoken_digits_spectrogram import recordings

from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.networks import wavegan
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import GradientPenalty

STEPS = 20_000
falling = Schedule("linear", STEPS, hold=STEPS // 2)

experiment = Experiment(
    generator=wavegan.Generator(width=16, length=4096, upsampling="nearest", classes=10),
    discriminator=wavegan.Discriminator(width=16, classes=10),
    data=recordings,
    loss=Wasserstein(),
    penalties=(GradientPenalty(10.0),),
    generator_optimizer=Adam(5e-4, b1=0.5, b2=0.9, schedule=falling),
    discriminator_optimizer=Adam(1e-3, b1=0.5, b2=0.9, schedule=falling),
    update_order="alternating",
    latent_size=100,
    batch_size=32,
    ema_decay=0.999,
    steps=STEPS,
    evaluate_every=2000,
)
