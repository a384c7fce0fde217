"""Image data sets of tensorflow-datasets, read without TensorFlow."""

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.common.validation import check_bounds, check_not_empty, check_types, nearest
from gan_jax.data.sources import classes, tfds_mnist
from gan_jax.data.sources.base import Examples, Shapes, Source
from gan_jax.data.sources.cache import Decoder, cached
from gan_jax.data.sources.decode import (
    MOST_PIXELS,
    UnreadableError,
    channels_of,
    decoded,
    fit,
    opened,
)

NUMBERED = ("numbers",)  # in the place of the names of classes that have none


@dataclass(frozen=True)
class Tfds(Source):
    """A data set of tensorflow-datasets that has images, with or without a class for each.

    Attributes:
        name: 'mnist', 'emnist/letters' or 'cifar10:3.0.2' for example.
        split: 'train', 'train[:1000]' or 'train+test' for example.
        data_dir: root of all prepared data sets; None is the default of tensorflow-datasets, which
            the environment variable TFDS_DATA_DIR sets.
        most_pixels: an image with more pixels is refused, and not decoded.
    """

    name: str
    split: str = "train"
    data_dir: str | None = None
    most_pixels: int = MOST_PIXELS

    def __post_init__(self):
        check_types(self)
        check_not_empty(self, "name split data_dir")
        check_bounds(self, "most_pixels", at_least=1)

    @property
    def is_mnist(self) -> bool:
        """Whether the data set is MNIST, in whichever version."""
        return self.name.partition(":")[0] == "mnist"

    def examples(self, size: int, channels: int) -> Examples:
        """Returns the images and, where the data set has one class for each, their labels."""
        builder = self._prepared()
        self._check_slice(builder)
        image, label = _keys(builder)
        folder = Path(builder.data_dir)
        names = _class_names(builder.info.features[label]) if label else ()
        examples, _ = cached(
            folder,
            slot=[self.split, size, channels],
            state=[image, label, _state(folder)],
            shape=(size, size, channels),
            class_names=names,
            decoder=self._decoder(builder, image, label, size, channels),
        )
        if not label:
            return Examples(examples.sample, None, (), "the data set has no class for each image")
        if examples.label.min() < 0:  # as withheld labels are marked
            reason = f"the labels of the split {self.split!r} are withheld"
            return Examples(examples.sample, None, (), reason)
        if names is NUMBERED:
            name = builder.info.features[label].int2str
            return classes.of_numbers(examples.sample, examples.label, name)
        return classes.of_names(examples.sample, examples.label, names)

    def shapes(self) -> Shapes:
        """Counts the images by the shape that the data set declares, or else that of each."""
        builder = self._prepared()
        self._check_slice(builder)
        image, _ = _keys(builder)
        height, width, channels = builder.info.features[image].shape
        records = self._records(builder, image)
        if height and width and channels:
            return Shapes({(height, width, 1 if channels == 1 else 3): len(records)})
        what = f"Reading the sizes of the images of {self.name}, {self.split}"
        found = Shapes()
        for record in announced(_in_parts(records), len(records), what):
            opened_image = self._readable(opened, record[image])
            found[opened_image.height, opened_image.width, channels_of(opened_image)] += 1
        return found

    def held_out(self) -> Self | None:
        """Returns the split 'test', or else 'validation', for 'train' or a part of it, else None.

        Prepares the data if it must, to find out which splits there are.
        """
        used = {part.partition("[")[0].strip() for part in self.split.split("+")}
        if "train" not in used:
            return None
        splits = self._prepared().info.splits
        apart = [name for name in ("test", "validation") if name in splits and name not in used]
        return replace(self, split=apart[0]) if apart else None

    def _prepared(self) -> Any:
        builder = self._builder()
        _keys(builder)  # A data set without images is refused before anything is prepared.
        if not builder.is_prepared():
            if builder.name not in ("mnist", "fashion_mnist"):
                raise RequestError(self._unprepared(builder, "is not prepared"))
            self._check_split(("train", "test"))
            tfds_mnist.prepare(builder, Path(builder.data_dir_root))
            builder = self._builder()
        self._check_split(builder.info.splits)
        if builder.info.file_format.value != "array_record":
            found = f"is prepared as {builder.info.file_format.value}, which needs TensorFlow,"
            raise RequestError(self._unprepared(builder, found))
        return builder

    def _builder(self) -> Any:
        import tensorflow_datasets as tfds

        data_dir = self.data_dir or os.environ.get("TFDS_DATA_DIR")
        try:
            return tfds.builder(self.name, data_dir=data_dir and os.path.expanduser(data_dir))
        except Exception as error:  # whatever the code of any of its data sets may raise
            hint = nearest(self.name, self._known_names())
            reason = str(error).strip().partition("\n")[0]
            message = f"tensorflow-datasets cannot open {self.name!r}: {reason}{hint}"
            raise RequestError(message) from error

    def _known_names(self) -> list[str]:
        import tensorflow_datasets as tfds

        names = tfds.list_builders(with_community_datasets=False)
        base = self.name.partition("/")[0]
        if base not in names:
            return names
        return [f"{base}/{config}" for config in tfds.builder_cls(base).builder_configs]

    def _unprepared(self, builder: Any, found: str) -> str:
        root = str(builder.data_dir_root)
        return (
            f"name: {self.name!r} {found} in {root!r}; to prepare it, once: pip install tensorflow "
            f"&& tfds build {self.name} --overwrite --file_format=array_record --data_dir={root}"
        )

    def _check_split(self, splits: Any) -> None:
        import tensorflow_datasets as tfds

        for part in self.split.split("+"):
            name = part.partition("[")[0].strip()
            if name not in (*splits, "all"):
                known = ", ".join(map(repr, splits))
                hint = nearest(name, splits)
                raise RequestError(f"split: {self.name!r} has {known}, but no {name!r}{hint}")
        try:
            tfds.core.ReadInstruction.from_spec(self.split)
        except ValueError as error:
            reason = str(error).partition("\n")[0]
            raise RequestError(f"split: {reason}; right is 'train[:1000]', for example") from error

    def _check_slice(self, builder: Any) -> None:
        try:
            count = builder.info.splits[self.split].num_examples
        except ValueError as error:
            raise RequestError(f"split: {self.split!r} of {self.name!r}: {error}") from error
        if not count:
            raise RequestError(f"split: {self.split!r} of {self.name!r} holds no images")

    def _decoder(
        self, builder: Any, image: str, label: str | None, size: int, channels: int
    ) -> Decoder:
        records = self._records(builder, image)

        def decode(notes: list[str]) -> Iterator[tuple[np.ndarray, int]]:
            what = f"Decoding the images of {self.name}, {self.split}"
            for record in announced(_in_parts(records), len(records), what):
                picture = self._readable(decoded, record[image])
                yield fit(picture, size, channels), int(record[label]) if label else 0

        return decode

    def _records(self, builder: Any, image: str) -> Any:
        import tensorflow_datasets as tfds

        # Pillow decodes faster than TFDS does through it.
        decoders = {image: tfds.decode.SkipDecoding()}
        return builder.as_data_source(split=self.split, decoders=decoders)

    def _readable(self, read: Callable[..., Image.Image], content: bytes) -> Image.Image:
        try:
            return read(io.BytesIO(content), self.most_pixels)
        except UnreadableError as error:
            raise RequestError(
                f"name: an image of {self.name!r} is unreadable ({error})"
            ) from error


def _in_parts(records: Any) -> Iterator[Any]:
    for start in range(0, len(records), 1000):
        yield from records.__getitems__(range(start, min(start + 1000, len(records))))


def _keys(builder: Any) -> tuple[str, str | None]:
    """Returns the names of the features that hold the image and, or None, its class."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    first = [*(builder.info.supervised_keys or ()), "image", "label", *features]
    names = [name for name in first if isinstance(name, str) and name in features]
    images = [
        name
        for name in names
        if isinstance(features[name], tfds.features.Image)
        and features[name].np_dtype in (np.uint8, np.uint16)
    ]
    labels = [name for name in names if isinstance(features[name], tfds.features.ClassLabel)]
    if not images:
        raise RequestError(f"name: {builder.name!r} has no images, but {', '.join(features)}")
    return images[0], labels[0] if labels else None


def _class_names(label: Any) -> tuple[str, ...]:
    """Returns the names of the classes of a label; NUMBERED where these are very many numbers."""
    if label.num_classes > classes.USUAL and label.int2str(0) == "0":
        return NUMBERED
    return tuple(label.names)


def _state(folder: Path) -> list[tuple[str, int, int]]:
    """Returns names, sizes and times of the files of a prepared data set."""
    files = [file for file in folder.iterdir() if not file.name.startswith("gan_jax-")]
    return sorted((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)
