"""The cases to measure, and their floating-point operations per step, counted by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

LATENT = 100
WIDTH = 64
KERNEL = 5 * 5
VOCABULARY, LENGTH = 66, 32  # of the character GANs
UNITS = 256  # of the recurrent one
SOUND_WIDTH, SAMPLES_OF_SOUND = 16, 8192  # of WaveGAN


@dataclass(frozen=True)
class Case:
    """The reference recipe at one batch size and image shape, or one step with other networks.

    Attributes:
        batch: examples in a batch.
        size: height and width of an image.
        channels: of an image.
        r1_weight: gamma of the R1 penalty; 0 is none.
        networks: which pair; size, channels and r1_weight are the DCGAN's, and the first two those
            of other images.
        discriminator_steps: for each step of the generator.
    """

    batch: int = 256
    size: int = 28
    channels: int = 1
    r1_weight: float = 0.0
    networks: Literal["dcgan", "resnet", "sagan", "r3gan", "text", "recurrent", "wavegan"] = "dcgan"
    discriminator_steps: int = 1

    @property
    def latent(self) -> int:
        """Numbers of a latent; the recurrent generator's has the noise of its draws."""
        return LATENT + (LENGTH * VOCABULARY if self.networks == "recurrent" else 0)

    def stored(self) -> np.ndarray:
        """Random examples of one step as data sets store them, where networks are not the DCGAN."""
        random, count = np.random.default_rng(0), self.batch * self.discriminator_steps
        if self.networks in ("text", "recurrent"):
            return random.integers(VOCABULARY, size=(count, LENGTH), dtype=np.uint8)
        if self.networks == "wavegan":
            return random.integers(-(2**15), 2**15, (count, SAMPLES_OF_SOUND, 1), dtype=np.int16)
        return random.integers(256, size=(count, self.size, self.size, 3), dtype=np.uint8)


CASES = {
    "reference, batch 256": Case(),
    "batch 64": Case(batch=64),
    "3 channels": Case(channels=3),
    "32 x 32 RGB, batch 128": Case(batch=128, size=32, channels=3),
    "with R1": Case(r1_weight=10.0),
    "SNGAN, width 64": Case(batch=64, size=32, channels=3, networks="resnet"),
    "SAGAN, width 64": Case(batch=64, size=32, channels=3, networks="sagan"),
    "R3GAN": Case(batch=64, size=32, channels=3, networks="r3gan"),
    "character GAN": Case(batch=64, networks="text", discriminator_steps=5),
    "recurrent character GAN": Case(batch=128, networks="recurrent"),
    "WaveGAN, width 16": Case(batch=32, networks="wavegan"),
}


class Peer(NamedTuple):
    """One implementation, ready to run; its calls block until their results are computed.

    Attributes:
        train: trains for the given number of steps on the batch it was built with.
        sample: draws the given number of samples in inference mode.
        parameters: how many numbers both networks have to learn.
    """

    train: Callable[[int], object]
    sample: Callable[[int], object]
    parameters: int


def step_operations(case: Case) -> float | None:
    """Returns the floating-point operations of one step's matrix products and convolutions.

    None where networks are not the DCGAN's.

    For each layer, the forward pass, the gradient with respect to its input and that with respect
    to its weights cost the same. The generator needs all three, except that its first layer needs
    no gradient with respect to the input. On real images, the discriminator needs the forward pass
    and the gradients of the weights (and of the second layer's input); on fakes the same and, for
    the generator's loss, the gradients of the inputs once more. R1 adds for each layer the gradient
    of the input and the two gradients of that.
    """
    if case.networks != "dcgan":
        return None
    quarter, half = (case.size // 4) ** 2, (case.size // 2) ** 2
    generator = (
        2 * LATENT * quarter * 4 * WIDTH
        + 3 * quarter * KERNEL * 4 * WIDTH * 2 * WIDTH
        + 3 * quarter * KERNEL * 2 * WIDTH * WIDTH
        + 3 * half * KERNEL * WIDTH * case.channels
    )
    penalty = 3 if case.r1_weight else 0
    discriminator = (
        (5 + penalty) * half * KERNEL * case.channels * WIDTH
        + (7 + penalty) * quarter * KERNEL * WIDTH * 2 * WIDTH
        + (7 + penalty) * quarter * 2 * WIDTH
    )
    return 2 * case.batch * (generator + discriminator)
