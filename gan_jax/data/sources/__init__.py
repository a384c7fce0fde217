"""Where images come from: folders, arrays, tensorflow-datasets."""

from gan_jax.data.sources.arrays import Arrays, MnistSample
from gan_jax.data.sources.audio_folder import AudioFolder
from gan_jax.data.sources.base import Examples, Source
from gan_jax.data.sources.folder import Folder
from gan_jax.data.sources.mirrored import Mirrored
from gan_jax.data.sources.stacked import Stacked
from gan_jax.data.sources.subset import Subset
from gan_jax.data.sources.tfds import Tfds

__all__ = [
    "Arrays",
    "AudioFolder",
    "Examples",
    "Folder",
    "Mirrored",
    "MnistSample",
    "Source",
    "Stacked",
    "Subset",
    "Tfds",
]
