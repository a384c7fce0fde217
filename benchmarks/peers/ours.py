"""This package: the compiled steps that `gan-jax train` runs, and `samples.draw`."""

import jax
import numpy as np

from gan_jax import gan
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.penalties import R1
from gan_jax.runtime import devices
from gan_jax.sampling import samples
from gan_jax.training.loop import run_steps
from gan_jax.training.parallel_seeds import make_plan
from peers.case import Case, Peer


def build(case: Case, batch: np.ndarray) -> Peer:
    experiment = Experiment(
        generator=dcgan.Generator(image_size=case.size, image_channels=case.channels),
        discriminator=dcgan.Discriminator(),
        data=images.mnist_sample(size=case.size, channels=case.channels),
        penalties=(R1(case.r1_weight),) if case.r1_weight else (),
        batch_size=case.batch,
        steps=1,
    )
    devices.configure()
    plan = make_plan("map", 1, case.batch)
    states = plan.stack([jax.jit(gan.init, static_argnums=(0, 1))(experiment, 0)])
    pixels = np.round((batch + 1) * 127.5).astype(np.uint8)
    pool = jax.device_put({"sample": pixels, "label": None}, devices.replicated(plan.mesh))
    positions = np.tile(np.arange(case.batch, dtype=np.int32), (1, 8, 1))

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

    return Peer(train, sample)
