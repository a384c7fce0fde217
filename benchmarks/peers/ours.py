"""This package: the compiled steps that `gan-jax train` runs, and `samples.draw`."""

import jax
import numpy as np

from gan_jax import gan
from gan_jax.data import audio, images
from gan_jax.data import text as text_data
from gan_jax.experiment import Experiment
from gan_jax.losses import Hinge, RelativisticPairing, Wasserstein
from gan_jax.networks import dcgan, r3gan, recurrent_text, resnet, text, wavegan
from gan_jax.optimizers import Adam
from gan_jax.penalties import R1, R2, GradientPenalty
from gan_jax.runtime import devices
from gan_jax.sampling import samples
from gan_jax.training.loop import run_steps
from gan_jax.training.parallel_seeds import make_plan
from peers.case import (
    LENGTH,
    SAMPLES_OF_SOUND,
    SOUND_WIDTH,
    UNITS,
    VOCABULARY,
    WIDTH,
    Case,
    Peer,
)


def experiment_of(case: Case) -> Experiment:
    """Returns what the case trains."""
    if case.networks == "dcgan":
        return Experiment(
            generator=dcgan.Generator(image_size=case.size, image_channels=case.channels),
            discriminator=dcgan.Discriminator(),
            data=images.mnist_sample(size=case.size, channels=case.channels),
            penalties=(R1(case.r1_weight),) if case.r1_weight else (),
            batch_size=case.batch,
            steps=1,
        )
    if case.networks in ("resnet", "sagan"):
        attention = case.networks == "sagan"
        parts = {
            "generator": resnet.Generator(WIDTH, attention=attention, spectral=attention),
            "discriminator": resnet.Discriminator(WIDTH, attention=attention),
            "loss": Hinge(),
        }
    elif case.networks == "r3gan":
        parts = {
            "generator": r3gan.Generator(),
            "discriminator": r3gan.Discriminator(),
            "loss": RelativisticPairing(),
            "penalties": (R1(1.0), R2(1.0)),
        }
    elif case.networks == "wavegan":
        parts = {
            "generator": wavegan.Generator(SOUND_WIDTH, SAMPLES_OF_SOUND),
            "discriminator": wavegan.Discriminator(SOUND_WIDTH),
            "loss": Wasserstein(),
            "penalties": (GradientPenalty(10.0),),
            "data": audio.folder("never read", length=SAMPLES_OF_SOUND),
        }
    elif case.networks == "recurrent":
        parts = {
            "generator": recurrent_text.Generator(VOCABULARY, LENGTH, UNITS),
            "discriminator": text.Discriminator(WIDTH),
            "loss": RelativisticPairing(),
            "penalties": (R1(1.0), R2(1.0)),
            "data": text_data.characters("never read", VOCABULARY, LENGTH),
        }
    else:
        parts = {
            "generator": text.Generator(VOCABULARY, LENGTH, WIDTH),
            "discriminator": text.Discriminator(WIDTH),
            "loss": Wasserstein(),
            "penalties": (GradientPenalty(10.0),),
            "data": text_data.characters("never read", VOCABULARY, LENGTH),
        }
    adam = Adam(1e-4, b1=0.0, b2=0.9)
    return Experiment(
        **{"data": images.mnist_sample(size=case.size, channels=case.channels)} | parts,
        latent_size=case.latent,
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        update_order="alternating",
        discriminator_steps=case.discriminator_steps,
        batch_size=case.batch,
        steps=1,
    )


def build(case: Case, batch: np.ndarray) -> Peer:
    experiment = experiment_of(case)
    devices.configure()
    plan = make_plan("map", 1, case.batch)
    states = plan.stack([jax.jit(gan.init, static_argnums=(0, 1))(experiment, 0)])
    if case.networks == "dcgan":
        batch = np.round((batch + 1) * 127.5).astype(np.uint8)
    pool = jax.device_put({"sample": batch, "label": None}, devices.replicated(plan.mesh))
    positions = np.tile(np.arange(len(batch), dtype=np.int32), (1, 8, 1))

    def train(steps: int) -> None:
        nonlocal states
        states, metrics = run_steps(
            experiment.static,
            plan,
            states,
            plan.hyperparameters([experiment]),
            pool,
            positions,
            steps,
        )
        jax.block_until_ready((states, metrics))

    def sample(count: int) -> np.ndarray:
        return samples.draw(experiment, jax.tree.map(lambda leaf: leaf[0], states), count)

    players = states.generator.params, states.discriminator.params
    return Peer(train, sample, sum(leaf.size for leaf in jax.tree.leaves(players)))
