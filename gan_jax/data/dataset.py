"""What a data set offers: the one contract between data and everything that uses them.

Training, sampling, health and the evaluation of runs ask a data set what they need through this
contract, and never which kind of data it has. Parts that are specific to some kinds say so:
augmentations and `gan-jax evaluate --data` are for images, and the classifiers that `gan-jax
features` trains for images and recordings. Three forms of an example occur:

- *stored*: as it is kept in memory and given to feature networks, uint8 pixels for example;
- *sample*: float32, as the generator makes it and the discriminator takes it;
- *page*: an image for people to look at.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol, Self

import numpy as np
from jaxtyping import Float32, Int32, Shaped, UInt8

from gan_jax.common.errors import RequestError

if TYPE_CHECKING:  # features import JAX, which describing data must not
    from gan_jax.features.network import FeatureNetwork

MOST_NAMES = 20  # of classes, in a message
RawBatch = dict[str, Any]  # "sample": as stored [batch, ...]; "label": int32 [batch] or None


class Stored(NamedTuple):
    """Shape and type of one stored example."""

    shape: tuple[int, ...]
    dtype: str


class Files(NamedTuple):
    """Samples from files, and what each of them is called in messages."""

    names: tuple[str, ...]
    samples: Float32[np.ndarray, "count ..."]


class Dataset(Protocol):
    """A frozen, hashable description of data, which loads when it is first used.

    Data whose batches carry labels as targets of the loss have a further attribute,
    `targets = True`: `prepare` then returns "label" as well, int32 [batch], negative where a label
    is not known.

    Attributes:
        labels: whether batches carry the class of each example as their condition.
        samples_per_page: how many samples the pages that a run makes while it trains show.
        suffixes: endings of the files that `write` makes, ".png" always among them; "" stands for a
            folder with a file for each sample.
        final_suffixes: endings of files that a finished run gets beside the page of its samples,
            for what a page cannot show.
    """

    labels: bool
    samples_per_page: int
    suffixes: tuple[str, ...]
    final_suffixes: tuple[str, ...]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, known without loading anything."""

    @property
    def stored(self) -> Stored:
        """Shape and type of one stored example, known without loading anything."""

    @property
    def split(self) -> str:
        """Name of the part of the data that these are, "train" for example; "all" without parts."""

    @property
    def count(self) -> int:
        """Number of examples."""

    @property
    def classes(self) -> int:
        """Number of classes; 0 where the data have no labels."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class; empty where the data have no labels."""

    def load(self) -> Any:
        """Returns all examples as stored: `.sample` [count, ...] and `.label` [count] or None."""

    def fingerprint(self) -> str:
        """Returns a content hash, which is checked when a run resumes."""

    def fitted(self) -> dict[str, Any] | None:
        """Returns what was fitted to the examples and is needed to write and read samples.

        For example the symbols of a text. A run records it, so that its samples need no examples.

        Returns:
            Values for JSON; None if the description alone says how samples are written and read.
        """

    def with_fitted(self, fitted: dict[str, Any]) -> Self:
        """Returns the same data with what `fitted` returned when a run was trained.

        They are equal to the data without. Data whose `fitted` returns None need no such method.

        Raises:
            RequestError: `fitted` of such data cannot have returned this.
        """

    def indices(self, seed: int, step: int, batch_size: int) -> Int32[np.ndarray, " batch"]:
        """Returns which examples form the batch of one step; see `order.batch_indices`."""

    def gather(self, indices: Int32[np.ndarray, " batch"]) -> RawBatch:
        """Returns the examples at the given positions, as stored."""

    def prepare(self, raw: RawBatch) -> dict[str, Any]:
        """Returns {"sample": float32, "condition": labels or None}, as the networks take them.

        Pure, for NumPy and JAX arrays alike: it runs inside the compiled step.
        """

    def to_stored(
        self, samples: Float32[np.ndarray, "count ..."]
    ) -> Shaped[np.ndarray, "count ..."]:
        """Returns finite samples as they would be stored: the way back from `prepare`."""

    def page(
        self, samples: Float32[np.ndarray, "count ..."], columns: int | None = None
    ) -> UInt8[np.ndarray, "height width channels"]:
        """Shows samples to people, in one grey or RGB image.

        Args:
            samples: what to show.
            columns: samples in a row, where they are laid out in rows; None makes about as many
                columns as rows.
        """

    def cells(
        self, page: UInt8[np.ndarray, "height width channels"], columns: int
    ) -> UInt8[np.ndarray, "cells cell_height cell_width channels"]:
        """Cuts a page with so many columns into the images of its samples.

        Film strips and excerpts are made of these. Where a page shows its samples in one image, it
        is the only cell.
        """

    def write(
        self,
        parts: Iterable[Float32[np.ndarray, "_part ..."]],
        path: Path,
        columns: int | None = None,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """Writes samples to a file, or to a new folder with a file for each, whole or not at all.

        Args:
            parts: what to write, some samples at a time, as memory may not hold all of them; those
                of a page it does.
            path: ends in one of `suffixes`; ".png" is a page.
            columns: of a page.
            class_names: name of each sample's class, for the names of single files and for
                captions; None without labels.

        Raises:
            RequestError: the path ends otherwise, or is a folder with files in it.
        """

    def read(self, paths: Sequence[Path], largest: int | None = None) -> Files:
        """Returns samples from files, and from folders of files that hold one each.

        Args:
            paths: the files and folders.
            largest: how many values in space or time, such as pixels, one file may hold; None for
                what is usual for such data.

        Raises:
            RequestError: a file cannot be read, or holds more; names it.
        """

    def held_out(self) -> Self | None:
        """Describes other examples of the same kind that are not trained on, if there are any.

        Raises:
            RequestError: this cannot be known, as the data are missing.
        """

    def features(self) -> Optional["FeatureNetwork"]:
        """Returns the feature network that the package has for these data; None without one.

        Raises:
            RequestError: this cannot be known, as the data are missing.
        """


def in_words(data: Dataset) -> str:
    """Says what data hold: how many examples, and of which classes; loads the data."""
    examples = "1 example" if data.count == 1 else f"{data.count:,} examples"
    names = data.class_names
    if not names:
        return f"{examples} without classes"
    label = data.load().label
    known = label[label >= 0]
    if len(known) < len(label):
        examples += f", {len(known):,} of them with a label,"
    empty = len(names) - len(np.unique(known))
    lacking = f" ({empty:,} of them without an example)" if empty else ""
    classes = "1 class" if len(names) == 1 else f"{len(names):,} classes"
    return f"{examples} of {classes}{lacking}: {in_short(names)}"


def in_short(names: Sequence[str]) -> str:
    """Lists names, some of them where there are very many."""
    if len(names) > MOST_NAMES:
        names = (*names[: MOST_NAMES - 2], "...", names[-1])
    return ", ".join(names)


def check_path(path: Path, suffixes: Sequence[str]) -> None:
    """Checks that samples can be written to a path that ends in one of `suffixes`.

    Raises:
        RequestError: names the path, and what would be right.
    """
    wrong = f"samples cannot be written to {path}"
    if path.suffix.lower() not in suffixes:
        folder = ", or be a new folder" if "" in suffixes else ""
        raise RequestError(f"{wrong}: must end in {' or '.join(filter(None, suffixes))}{folder}")
    if not path.parent.is_dir():
        raise RequestError(f"{wrong}: there is no folder {path.parent}")
    if path.is_dir() and (path.suffix or any(path.iterdir())):
        raise RequestError(f"{wrong}: is a folder{'' if path.suffix else ' with files in it'}")
    if not path.suffix and path.is_file():
        raise RequestError(f"{wrong}: is a file")
