"""R1 every fourth step instead of BatchNorm in the discriminator (Mescheder et al., 2018).

    gan-jax train experiments/mnist_r1.py

The penalty is lazy as in Karras et al. (2020b). Everything else is as in the quickstart.

Measured at commit 80dca5f with --seeds 0:4 --evaluate-samples 10000 (Python 3.12, JAX 0.11.2, one
NVIDIA H200): Frechet distance 0.871 (0.761 to 0.982), classifier score ratio 0.845 (0.839 to
0.850), all ten classes. These are means with 95 % intervals over seeds, with features mnist-cnn
69b1b8f3e3a0, against the 10,000 training images (the ratio: against the 10,000 test images). The
quickstart has 0.722 and 0.875 (see its docstring). On two x86 cores the steps of one seed take 2.8
minutes (`benchmarks/recipes.py`, commit ba85daa).
"""

import dataclasses

from quickstart import experiment as base

from gan_jax.networks import dcgan
from gan_jax.penalties import R1, Lazy

experiment = dataclasses.replace(
    base,
    discriminator=dcgan.Discriminator(width=32, dropout=0.0, hidden=128),
    penalties=(Lazy(R1(gamma=1.0), every=4),),
)
