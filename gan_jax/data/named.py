"""Images that a user names on the command line, and their own size and channels."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import nearest
from gan_jax.data.images import Images
from gan_jax.data.sources import other_files
from gan_jax.data.sources.arrays import Arrays, MnistSample
from gan_jax.data.sources.base import Shapes, Source
from gan_jax.data.sources.decode import MOST_PIXELS
from gan_jax.data.sources.folder import Folder
from gan_jax.data.sources.tfds import Tfds

COLOURS = {1: "grey", 3: "colour"}
SHOWN = 5  # of the sizes of images, in a message


def source_from_text(text: str, most_pixels: int = MOST_PIXELS) -> Source:
    """Describes where the images come from that a user names on the command line.

    Args:
        text: 'mnist_sample', a folder, an .npz file, or the name of a data set of
            tensorflow-datasets. An existing folder takes precedence over a data set of the same
            name, and what starts with '/', '.' or '~' is always a path.
        most_pixels: of an image of a folder or of tensorflow-datasets, see `images.folder`.

    Raises:
        RequestError: The text is none of these. What is missing is reported when the data are
            loaded.
    """
    path = Path(text).expanduser()
    if text == "mnist_sample":
        return MnistSample()
    if path.suffix.lower() == ".npz":
        return Arrays(str(path))
    if path.is_dir() or (text.startswith(("/", ".", "~")) and not path.exists()):
        return Folder(str(path), most_pixels=most_pixels)
    if path.exists():
        raise RequestError(f"{text!r} {other_files.advice(path)}")
    if re.fullmatch(r"[a-z][\w-]*(/[\w.+-]+)?(:[\w.*]+)?", text):
        return Tfds(text, most_pixels=most_pixels)
    names = os.listdir(path.parent) if path.parent.is_dir() else ()
    raise RequestError(
        f"{text!r} is not a data set: give mnist_sample, a folder of images, an .npz file, or a "
        f"name of tensorflow-datasets, 'fashion_mnist' for example{nearest(path.name, names)}"
    )


def from_text(
    text: str,
    size: int | None = None,
    channels: int | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Images:
    """Describes the images that a user names on the command line.

    Args:
        text: see `source_from_text`.
        size: height and width in pixels to which the images are scaled and cropped; their own if
            None.
        channels: 1 for grey, 3 for colour; their own if None.
        most_pixels: see `source_from_text`.

    Raises:
        RequestError: see `source_from_text` and `own_shape`.
    """
    source = source_from_text(text, most_pixels)
    if size is None or channels is None:
        size, channels = own_shape({text: source.shapes()}, size, channels)
    return Images(source, size, channels)


def own_shape(
    found: Mapping[str, Shapes], size: int | None, channels: int | None
) -> tuple[int, int]:
    """Returns the size and the channels that all images have, where none were asked for.

    A set of images with one in colour is in colour.

    Args:
        found: how many images have which shape, by the name of each set of images.
        size: height and width that were asked for, or None.
        channels: 1 or 3 as they were asked for, or None.

    Raises:
        RequestError: the images differ in size, are not square, or are in grey in one set and in
            colour in another; says how many of which there are.
    """
    sizes = {name: _sizes(shapes) for name, shapes in found.items()}
    (height, width), *other_sizes = {size for counts in sizes.values() for size in counts}
    of_sets = {name: max(shape[2] for shape in shapes) for name, shapes in found.items()}
    own_channels, *other_channels = set(of_sets.values())
    wrong, options = [], []
    if size is None and (other_sizes or height != width):
        listed = "; ".join(f"{name}: {_listed(counts)}" for name, counts in sizes.items())
        wrong.append(f"{'differ in size' if other_sizes else 'are not square'} ({listed})")
        options.append("--size N")
    if channels is None and other_channels:
        listed = ", ".join(f"{name}: {COLOURS[each]}" for name, each in of_sets.items())
        wrong.append(f"are in grey and in colour ({listed})")
        options.append("--channels 1 or --channels 3")
    if wrong:
        raise RequestError(
            f"the images {', and '.join(wrong)}: give {' and '.join(options)}, to which they are "
            "scaled and cropped or converted"
        )
    return height if size is None else size, own_channels if channels is None else channels


def _sizes(shapes: Shapes) -> Counter[tuple[int, int]]:
    sizes: Counter[tuple[int, int]] = Counter()
    for (height, width, _), count in shapes.items():
        sizes[height, width] += count
    return sizes


def _listed(sizes: Counter[tuple[int, int]]) -> str:
    """Lists sizes as width x height, with how many images have them, the most frequent first."""
    listed = [f"{w} x {h} ({count:,})" for (h, w), count in sizes.most_common(SHOWN)]
    others = len(sizes) - len(listed)
    return ", ".join(listed) + (f" and {others:,} other sizes" if others else "")
