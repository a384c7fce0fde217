"""The published recipe of WaveGAN: a second of speech at 16 kHz (Donahue et al., 2019).

    gan-jax train experiments/wavegan_sc09.py --data.source.path sc09

For a GPU. The data are SC09, the digits of the Speech Commands data set (Warden, 2018), in the
folders train, valid and test that the authors have made, of which the latter two are held out.

Not measured yet.
"""

from gan_jax.data import audio
from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.networks import wavegan
from gan_jax.optimizers import Adam
from gan_jax.penalties import GradientPenalty

adam = Adam(1e-4, b1=0.5, b2=0.9)

experiment = Experiment(
    generator=wavegan.Generator(width=64, length=16384),
    discriminator=wavegan.Discriminator(width=64),
    data=audio.folder(
        "sc09",
        rate=16000,
        length=16384,
        pattern="{folder}/{label}_{speaker}_nohash_{take}",
        held_out="folder=valid,test",
    ),
    loss=Wasserstein(),
    penalties=(GradientPenalty(10.0),),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    update_order="alternating",
    discriminator_steps=5,
    latent_size=100,
    latent_distribution="uniform",
    batch_size=64,
    steps=200_000,
    save_every=1000,
    sample_every=1000,
)
