"""Sets of images that are compared: images of any kind, or samples that a generator made.

Samples come in an .npz file with an array 'samples' [count, height, width, channels]: as
`gan-jax sample` writes them, in [-1, 1], or pixels, uint8; or 'arr_0', which those are called that
NumPy was given without a name. They are never scaled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from gan_jax.common.arrays_file import DamagedArraysError, read_arrays
from gan_jax.common.errors import RequestError
from gan_jax.common.reading import open_regular
from gan_jax.data import named
from gan_jax.data.grids import to_pixels
from gan_jax.data.images import Images
from gan_jax.data.sources.base import Shapes
from gan_jax.runs import RunDirectory

NAMES = ("samples", "arr_0")
Pixels = UInt8[np.ndarray, "count height width channels"]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One of the sets.

    Attributes:
        described: where the images come from, and to which size and channels they are brought.
        samples: pixels of samples; None where these are other images.
    """

    described: Images
    samples: Pixels | None

    @property
    def stored(self) -> Pixels:
        """The images as pixels."""
        return self.described.load().sample if self.samples is None else self.samples


def read(
    texts: Sequence[str],
    size: int | None,
    channels: int | None,
    announce: Callable[[str], None],
    most_pixels: int,
) -> list[ImageSet]:
    """Reads sets of images, and brings them to one size.

    Args:
        texts: what a user names, see `named.source_from_text`.
        size: height and width in pixels; if None, the one that all of them have.
        channels: 1 for grey, 3 for colour; likewise.
        announce: is told of samples that are probably in another range.
        most_pixels: of an image file.

    Raises:
        RequestError: images are missing, `named.own_shape` finds no common size, or samples are out
            of range or of another size than was asked for.
    """
    sources, drawn = [], []
    for text in texts:
        if RunDirectory(Path(text).expanduser()).config.exists():
            raise RequestError(f"--data {text}: is a run: gan-jax evaluate {text}, without --data")
        sources.append(named.source_from_text(text, most_pixels))
        drawn.append(_samples(text, announce))
    if size is None or channels is None:
        shapes = {
            text: source.shapes() if samples is None else Shapes({samples.shape[1:]: len(samples)})
            for text, source, samples in zip(texts, sources, drawn, strict=True)
        }
        size, channels = named.own_shape(shapes, size, channels)
    sets = []
    for text, source, samples in zip(texts, sources, drawn, strict=True):
        described = Images(source, size, channels)
        if samples is not None and samples.shape[1:] != described.sample_shape:
            found, wanted = (
                "x".join(map(str, of)) for of in (samples.shape[1:], described.sample_shape)
            )
            raise RequestError(f"{text} holds samples of {found}, not {wanted}")
        sets.append(ImageSet(described, samples))
    return sets


def _samples(text: str, announce: Callable[[str], None]) -> Pixels | None:
    """Returns the samples of an .npz file as pixels; None where there are none in it."""
    path = Path(text).expanduser()
    if path.suffix.lower() != ".npz" or not path.is_file():
        return None
    try:
        with open_regular(path) as file:
            arrays = read_arrays(file, (*NAMES, "latents").__contains__).arrays
    except (DamagedArraysError, OSError, RequestError):
        return None  # loading it as images says what is wrong with it
    name = next(filter(arrays.__contains__, NAMES), None)
    if name is None:
        return None
    samples = arrays[name]
    if samples.ndim != 4 or samples.shape[3] not in (1, 3) or not samples.size:
        raise RequestError(
            f"{text} holds {name!r} of shape {list(samples.shape)}: not those of images, [count, "
            "height, width, 1 or 3]"
        )
    if samples.dtype == np.uint8:
        if samples.max() <= 1:
            announce(f"warning: all {name!r} in {text} are 0 or 1; white is 255, not 1")
        return samples
    _check_range(text, name, samples, "latents" in arrays, announce)
    return to_pixels(samples)


def _check_range(
    text: str, name: str, samples: np.ndarray, own: bool, announce: Callable[[str], None]
) -> None:
    """Checks that samples are in [-1, 1].

    A network without tanh at its end, such as R3GAN's, may leave that range. Of such samples, which
    have their latents beside them, pages and files of images are clipped, and so they are here.
    """
    if not np.issubdtype(samples.dtype, np.floating):
        raise RequestError(
            f"{text} holds {name!r} of type {samples.dtype}: neither pixels, uint8 in [0, 255], "
            "nor floating point numbers in [-1, 1]"
        )
    least, most = float(samples.min()), float(samples.max())  # NaN where any is
    if not (np.isfinite(least) and np.isfinite(most)):
        count = np.count_nonzero(~np.isfinite(samples))
        raise RequestError(
            f"{text} holds {name!r} that are not finite: {count:,} of {samples.size:,} numbers"
        )
    if least < -1 or most > 1:
        within = f"{name!r} from {least:.4g} to {most:.4g}, not in [-1, 1]"
        if not own:
            advice = (
                "pixels must be of type uint8, as by samples.round().astype('uint8')"
                if least >= 0 and 2 < most <= 255
                else "scale them, or where only a few lie outside, np.clip(samples, -1, 1)"
            )
            raise RequestError(f"{text} holds {within}: {advice}")
        outside = np.count_nonzero(np.abs(samples) > 1) / samples.size
        announce(f"{text} holds {within}: {outside:.2%} of the numbers are clipped")
    elif least >= 0:
        announce(
            f"warning: all {name!r} in {text} lie in [0, 1]; black is -1 and not 0, so if these "
            "are to be scaled: samples * 2 - 1"
        )
