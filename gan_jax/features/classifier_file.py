"""The file of a trained classifier: its weights, and a description of how it was made.

An .npz with one array for each weight, named by its path ('params/Conv_0/kernel'), and
'description', a JSON text.
"""

import dataclasses
import io
import json
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from gan_jax.common.arrays_file import DamagedArraysError, read_arrays
from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_bounds, check_types
from gan_jax.networks.classifier import Classifier
from gan_jax.ops.spectrograms import Spectrogram, Statistics

DESCRIPTION = "description"


@dataclasses.dataclass(frozen=True)
class SoundInput:
    """How a classifier of sound makes images of waveforms; see `spectrograms.Spectrogram`.

    Attributes:
        rate: samples a second.
        length: samples to which waveforms are cut or filled.
        window, hop, floor, clip: fields of the spectrogram.
        mean, deviation: its statistics over the training set.
    """

    rate: int
    length: int
    window: int
    hop: int
    floor: float
    clip: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "rate length", at_least=1)
        self.form.shape(self.length)
        if {len(self.mean), len(self.deviation)} != {self.window // 2}:
            raise RequestError(
                f"SoundInput.mean and deviation: must have {self.window // 2} numbers"
            )
        if min(self.deviation) <= 0:
            raise RequestError(f"SoundInput.deviation has {min(self.deviation)}: must be above 0")

    @property
    def form(self) -> Spectrogram:
        """What makes images of waveforms."""
        return Spectrogram(self.window, self.hop, self.floor, self.clip)

    @property
    def statistics(self) -> Statistics:
        """What it has to know of the training set."""
        return Statistics(np.float32(self.mean), np.float32(self.deviation))


@dataclasses.dataclass(frozen=True)
class Description:
    """How a classifier was made, and how good it is; all of it can be written as JSON.

    Attributes:
        data: what it was trained on, as named on the command line.
        size: height and width of the images that it takes, in pixels; of spectrograms, how many
            frequencies they have.
        channels: 1 for grey, 3 for colour.
        class_names: name of each class.
        width, feature_size: fields of the network.
        test_accuracy: fraction of the test images classified correctly, in [0, 1].
        test_count: number of test images.
        tested_on: which images these were.
        seed: seed of the training.
        epochs: passes over the training images.
        command: the command line that made it.
        version: version of this package.
        git: commit of the package's source, '-dirty' where it was changed, '' outside git.
        sound: how waveforms become images; None for classifiers of images.
    """

    data: str
    size: int
    channels: Literal[1, 3]
    class_names: tuple[str, ...]
    width: int
    feature_size: int
    test_accuracy: float
    test_count: int
    tested_on: str
    seed: int
    epochs: int
    command: str
    version: str
    git: str
    sound: SoundInput | None = None

    def __post_init__(self) -> None:
        check_types(self)
        check_bounds(self, "size", at_least=1)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the network takes."""
        if self.sound is not None:
            return self.sound.form.shape(self.sound.length)
        return (self.size, self.size, self.channels)

    @property
    def network(self) -> Classifier:
        """The network that the weights belong to."""
        return Classifier(self.width, self.feature_size, len(self.class_names))


class Saved(NamedTuple):
    """What a file holds: the description, and the network's variables as NumPy arrays."""

    description: Description
    variables: PyTree


def encode(description: Description, variables: PyTree) -> bytes:
    """Returns the content of a file: the same bytes for the same description and weights."""
    arrays = {name: np.asarray(leaf) for name, leaf in _by_name(variables).items()}
    text = json.dumps(dataclasses.asdict(description), indent=2)
    buffer = io.BytesIO()
    np.savez(buffer, **{DESCRIPTION: np.array(text)}, **arrays)
    return buffer.getvalue()


def decode(content: bytes, path: str) -> Saved:
    """Reads the content of a file.

    Args:
        content: what the file holds.
        path: what it is called in messages.

    Raises:
        RequestError: it is not such a file, or damaged, or made for another network than this
            version of the package has.
    """
    try:
        arrays = read_arrays(io.BytesIO(content)).arrays
    except DamagedArraysError as error:
        raise RequestError(f"{path} cannot be read as .npz, or is damaged: {error}") from error
    if DESCRIPTION not in arrays:
        raise RequestError(
            f"{path} is not a classifier as `gan-jax features` makes them: it holds "
            f"{', '.join(list(arrays)[:5]) or 'nothing'}, but no '{DESCRIPTION}'"
        )
    description = _description(str(arrays[DESCRIPTION]), path)
    shape = (1, *description.image_shape)
    template = jax.eval_shape(
        lambda image: description.network.init(jax.random.key(0), image, training=False),
        jax.ShapeDtypeStruct(shape, jnp.float32),
    )
    for name, wanted in _by_name(template).items():
        found = arrays[name].shape if name in arrays else "none"
        if found != wanted.shape:
            raise RequestError(
                f"{path} holds weights of another network: {name} must have shape "
                f"{wanted.shape}, and has {found}"
            )
    variables = jax.tree_util.tree_map_with_path(lambda where, _: arrays[_name(where)], template)
    return Saved(description, variables)


def _description(text: str, path: str) -> Description:
    try:
        values = json.loads(text)
        values["class_names"] = tuple(values["class_names"])
        if sound := values.get("sound"):
            statistics = {name: tuple(sound[name]) for name in ("mean", "deviation")}
            values["sound"] = SoundInput(**sound | statistics)
        return Description(**values)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise RequestError(f"{path} has a description that cannot be read: {error}") from error


def _by_name(variables: PyTree) -> dict[str, Any]:
    return {_name(where): leaf for where, leaf in jax.tree_util.tree_leaves_with_path(variables)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
