"""The reference: the classic DCGAN on the 60,000 digits of MNIST, for 50 epochs.

    gan-jax train experiments/dcgan_mnist.py

Radford, Metz, Chintala (2016), in the form of the Keras tutorial: Adam with a learning rate of 1e-4
for both players, batches of 256, cross-entropy on logits, both players updated simultaneously.
Layers and constants are those of that recipe, except that batches continue across epochs: 11,719
steps instead of 50 x 235 with a short last batch. `tests/test_parity.py` compares it, without
dropout and at small widths, with an independent implementation; `benchmarks/parity_keras.py`
compares it with Keras at full width.

Measured at commit fee028d with --evaluate-every 1172 --evaluate-samples 10000, seed 0 (Python
3.12, JAX 0.12.0.1, two x86 cores): 371 ms a step on an idle machine (commit 61819ac), 73 minutes
for all steps. With 10,000 samples and features mnist-cnn 69b1b8f3e3a0, against the 60,000 training
images, after 10, 20, 30, 40 and 50 epochs the Frechet distance is 11.8, 13.6, 7.97, 5.01 and 4.64,
and the classifier score ratio 0.355, 0.302, 0.518, 0.628 and 0.627. This is one seed; for the first
three epochs of two others, see docs/results.md.
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
