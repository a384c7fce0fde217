"""The reference: the classic DCGAN on the 60,000 digits of MNIST, 50 epochs.

    gan-jax train experiments/dcgan_mnist.py

Radford, Metz, Chintala (2016), in the form of the Keras tutorial: Adam 1e-4 for both players,
batch 256, cross-entropy on logits, both players updated at once. Layers and constants are that
recipe's, except that batches run on across epochs: 11,719 steps, not 50 x 235 with a short last
batch. `tests/test_parity.py` compares it, without dropout and at small widths, with an independent
implementation; `benchmarks/parity_keras.py` with Keras at full width.

Measured: its first 3 epochs only, at commit 9eda90d, with seeds 1 and 2 (`gan-jax evaluate`, 10,000
samples, features mnist-cnn 69b1b8f3e3a0, against the 60,000 training images): Frechet distance 17.0
and 26.3 (test images 0.016), classifier score ratio 0.243 and 0.147. No sample is a digit yet.
"""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.metrics import features
from gan_jax.networks import dcgan

experiment = Experiment(
    generator=dcgan.Generator(),
    discriminator=dcgan.Discriminator(),
    data=images.tfds("mnist"),
    epochs=50,
    features=features.mnist(),
)
