"""DCGAN on 32 x 32 RGB images from a folder of image files, for example CIFAR-10.

    gan-jax train experiments/cifar10_folder.py --data.source.path path/to/cifar10/train

The folder has a sub-folder for each class; any other folder of images will do. The networks are
those of the reference, dcgan_mnist.py; learning rate, b1 and batch size are those of Radford, Metz,
Chintala (2016): Adam 2e-4, b1 = 0.5, batches of 128. Their latents, initialisers, slope of 0.2 and
BatchNorm in the discriminator are not used; the moving average is an addition.

Not measured yet.
"""

from gan_jax.data import images
from gan_jax.experiment import Experiment
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam

experiment = Experiment(
    generator=dcgan.Generator(image_size=32, image_channels=3),
    discriminator=dcgan.Discriminator(),
    data=images.folder("cifar10/train", size=32, channels=3),
    generator_optimizer=Adam(2e-4, b1=0.5, eps=1e-7, form="keras"),
    discriminator_optimizer=Adam(2e-4, b1=0.5, eps=1e-7, form="keras"),
    batch_size=128,
    ema_decay=0.999,
    steps=20_000,
)
