"""The reference: the classic DCGAN on the 60,000 digits of MNIST, 50 epochs.

    gan-jax train experiments/dcgan_mnist.py

Radford, Metz, Chintala (2016), in the form of the Keras tutorial: Adam 1e-4 for both players,
batch 256, cross-entropy on logits, both players updated at once. Layers and constants are that
recipe's, except that batches run on across epochs: 11,719 steps, not 50 x 235 with a short last
batch. `tests/test_parity.py` compares it, without dropout and at small widths, with an independent
implementation; `benchmarks/parity_keras.py` with Keras at full width.

Measured at commit fee028d with --evaluate-every 1172 --evaluate-samples 10000, seed 0 (Python
3.12, JAX 0.12.0.1, two x86 cores): 371 ms a step on an idle machine (commit 61819ac), 73 minutes
of steps in all. 10,000 samples, features mnist-cnn 69b1b8f3e3a0, against the 60,000 training
images: after 10, 20, 30, 40 and 50 epochs the Frechet distance is 11.8, 13.6, 7.97, 5.01 and 4.64,
the classifier score ratio 0.355, 0.302, 0.518, 0.628 and 0.627. One seed; two others were followed
over three epochs, see docs/results.md.
"""

from gan_jax import features
from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam

adam = Adam(1e-4, eps=1e-7, form="keras")

experiment = Experiment(
    generator=dcgan.Generator(),
    discriminator=dcgan.Discriminator(),
    data=images.tfds("mnist"),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    epochs=50,
    features=features.mnist(),
)
