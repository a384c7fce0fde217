"""Trained classifiers as feature networks: bundled ones, and those of `gan-jax features`."""

import functools
import hashlib
import importlib.resources
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int16

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import check_not_empty, check_types
from gan_jax.features import classifier_file
from gan_jax.features.network import (
    Extracted,
    StoredSamples,
    check_samples,
    check_sha256,
    in_batches,
    read,
)
from gan_jax.ops.spectrograms import FULL_SCALE, loudest


class Bundled(NamedTuple):
    """A classifier that comes with the package."""

    name: str
    file: str
    sha256: str


BUNDLED = {
    "mnist": Bundled(
        "mnist-cnn",
        "mnist_classifier.npz",
        "69b1b8f3e3a0f2be55eb100401ff782921f319113ea1afffa74108d2120bf134",
    ),
    "spoken_digits": Bundled(
        "spoken-digits-cnn",
        "spoken_digits_classifier.npz",
        "333d3cc0327ae08bd2c2f629124b56148a90019714140bee085d9cf403a14da3",
    ),
}


@dataclass(frozen=True)
class Classifier:
    """A classifier that `gan-jax features` made; its features are penultimate activations.

    Attributes:
        path: its file; None is a classifier that is bundled.
        bundled: which of them, if it is one; see `mnist` and `spoken_digits`.
    """

    path: str | None = None
    bundled: Literal["mnist", "spoken_digits"] = "mnist"

    def __post_init__(self) -> None:
        check_types(self)
        check_not_empty(self, "path")
        if self.path is not None and self.bundled != "mnist":
            raise RequestError(f"Classifier.path = {self.path!r}: is not bundled, give one of both")

    @property
    def name(self) -> str:
        """That of the bundled one, else the name of the file without its ending."""
        return BUNDLED[self.bundled].name if self.path is None else Path(self.path).stem

    @property
    def description(self) -> classifier_file.Description:
        """How it was made, and its accuracy; RequestError where the file cannot be read."""
        return self._saved().description

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; RequestError where the file cannot be read."""
        return self.description.class_names

    def check_data(self, data: Any) -> None:
        """Checks that data, as described by `data.dataset.Dataset`, have the right rate.

        Raises:
            RequestError: they have another; names both.
        """
        sound = self.description.sound
        rate = getattr(data, "rate", None)
        if sound is not None and rate is not None and rate != sound.rate:
            raise RequestError(
                f"features {self.name} were trained at {sound.rate:,} Hz, and the data have "
                f"{rate:,} Hz: train others with `gan-jax features RECORDINGS --sound "
                f"--rate {rate} --out FILE`"
            )

    def sha256(self) -> str:
        """Returns the hash of the weights file; RequestError where the file cannot be read."""
        return hashlib.sha256(self._content()).hexdigest()

    def extract(self, stored: StoredSamples) -> Extracted:
        """Returns features and probabilities of images or waveforms; see `FeatureNetwork`."""
        return classify(self._saved(), stored, self.name)

    def _saved(self) -> classifier_file.Saved:
        return _decoded(self._content(), self.path or BUNDLED[self.bundled].file)

    def _content(self) -> bytes:
        if self.path is None:
            _, file, sha256 = BUNDLED[self.bundled]
            content = (importlib.resources.files("gan_jax.features") / file).read_bytes()
            check_sha256(file, content, sha256)
            return content
        return read(self.path)


def mnist() -> Classifier:
    """Describes the bundled classifier of handwritten digits: 28 x 28 pixels, grey, ten classes.

    99.57 % of MNIST's 10,000 test digits right, measured from the weights as stored; trained on the
    60,000 others with seed 0 at commit 681aa5b, on one x86 core, by

        gan-jax features mnist --out mnist_classifier.npz

    It has seen the bundled training digits and none of the bundled test digits. The file's sha256:
    69b1b8f3e3a0f2be55eb100401ff782921f319113ea1afffa74108d2120bf134.
    """
    return Classifier()


def spoken_digits() -> Classifier:
    """Describes the bundled classifier of spoken digits: waveforms of 8,000 Hz, ten classes.

    It classifies all 300 test recordings of the Free Spoken Digit Dataset (Jackson et al., 2018)
    correctly, those with index 0 to 4, by the six speakers that it was trained with; trained
    without the speaker theo, 95.8 % of his 500 recordings (--held-out speaker=theo). Trained on the
    2,700 others with seed 0 at commit a2805cb, on two x86 cores, by

        gan-jax features recordings --sound --pattern '{label}_{speaker}_{index}'
            --held-out index=0,1,2,3,4 --out spoken_digits_classifier.npz

    It takes half a second: the loudest part of longer waveforms, and silence after shorter ones;
    and the peak of each is set to full scale first. The file's sha256:
    333d3cc0327ae08bd2c2f629124b56148a90019714140bee085d9cf403a14da3.
    """
    return Classifier(bundled="spoken_digits")


def classifier(path: str | os.PathLike[str]) -> Classifier:
    """Describes the classifier in a file that `gan-jax features` wrote.

    Raises:
        RequestError: `path` is not a path. A file that is missing or wrong is reported when used.
    """
    return Classifier(os.fspath(path) if isinstance(path, os.PathLike) else path)


def classify(saved: classifier_file.Saved, stored: StoredSamples, name: str = "") -> Extracted:
    """Returns features and probabilities of images or waveforms.

    Args:
        saved: a classifier as its file holds it.
        stored: images, uint8 [count, height, width, channels]; or waveforms, int16 [count, length,
            1], of any length: those that are longer than the classifier's are cut to their loudest
            part, shorter ones are filled with silence, and the peak of each is set to full scale.
        name: what the classifier is called in messages.

    Raises:
        RequestError: the samples do not have the size, channels or type that it takes.
    """
    description, variables = saved
    if description.sound is not None:
        check_samples(name, stored, "int16", ("length", 1))
        heard = functools.partial(_apply_to_sound, description.network, description.sound)
        return in_batches(functools.partial(heard, variables), _fitted(stored, description.sound))
    shape = description.image_shape
    advice = (
        "; `gan-jax features` trains a network for images of any size, and `gan-jax evaluate "
        f"--data` scales images with --size {description.size} --channels {description.channels}"
    )
    check_samples(name, stored, "uint8", shape, advice)
    return in_batches(functools.partial(_apply, description.network, variables), stored)


# Keyed by content, so that a file that changes while the process lives is never served stale.
@functools.lru_cache(maxsize=4)
def _decoded(content: bytes, path: str) -> classifier_file.Saved:
    return classifier_file.decode(content, path)


def _fitted(
    stored: Int16[np.ndarray, "count length 1"], sound: classifier_file.SoundInput
) -> Int16[np.ndarray, "count {sound.length} 1"]:
    """Cuts or fills waveforms to the length that a classifier takes, and sets their peaks."""
    waveforms = stored[..., 0].astype(np.float32)
    if waveforms.shape[1] > sound.length:
        starts = loudest(waveforms, sound.length)[:, None]
        waveforms = np.take_along_axis(waveforms, starts + np.arange(sound.length), axis=1)
    waveforms = np.pad(waveforms, ((0, 0), (0, sound.length - waveforms.shape[1])))
    peaks = np.abs(waveforms).max(axis=1, keepdims=True)
    return np.rint(waveforms * (FULL_SCALE / np.maximum(peaks, 1))).astype(np.int16)[..., None]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _apply_to_sound(network, sound, variables, waveforms):
    images = sound.form.to_images(waveforms, sound.statistics)
    features, logits = network.apply(variables, images, training=False)
    return features, jax.nn.softmax(logits)


@functools.partial(jax.jit, static_argnums=0)
def _apply(network, variables, pixels):
    images = (pixels.astype(jnp.float32) * 2 - 255) * (1 / 255)
    features, logits = network.apply(variables, images, training=False)
    return features, jax.nn.softmax(logits)
