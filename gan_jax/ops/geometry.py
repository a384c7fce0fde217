"""How the positions of a fine map, a coarse map and a kernel correspond."""

from typing import NamedTuple

from jax import lax

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """Sizes along both spatial axes, and the position of the kernel.

    Coarse position `i` and tap `a` meet fine position `stride * i + a - before`. Batch and channels
    do not enter, so one geometry serves both a convolution and its transpose.

    Attributes:
        stride: stride along both axes.
        fine: height and width of the fine map.
        coarse: height and width of the coarse map.
        kernel: height and width of the kernel.
        before: padding in front of the fine map along each axis.
    """

    stride: int
    fine: Pair
    coarse: Pair
    kernel: Pair
    before: Pair

    @property
    def phase(self) -> Pair:
        """Size of a map of every `stride`-th fine position, rounded up."""
        return tuple(-(-length // self.stride) for length in self.fine)


def mirrored(geometry: Geometry) -> Geometry:
    """Returns the geometry of stride 1 in which coarse and fine map have changed places.

    In it, a convolution with the flipped kernel, whose channels have changed places as well, is the
    transposed convolution in this one.
    """
    before = (taps - 1 - b for taps, b in zip(geometry.kernel, geometry.before, strict=True))
    return geometry._replace(fine=geometry.coarse, coarse=geometry.fine, before=tuple(before))


def convolution(size: Pair, kernel: Pair, stride: int) -> Geometry:
    """Returns the geometry of a convolution of maps of the given size with padding "SAME"."""
    pads = lax.padtype_to_pads(size, kernel, (stride, stride), "SAME")
    coarse = tuple(-(-length // stride) for length in size)
    return Geometry(stride, size, coarse, kernel, tuple(before for before, _ in pads))


def transposed_convolution(size: Pair, kernel: Pair, stride: int) -> Geometry:
    """Returns the geometry of Flax's transposed convolution of such maps with padding "SAME".

    Flax slides the unflipped kernel over the map dilated by the stride, so here the kernel has to
    be flipped. Flax pads in front by half of `kernel + stride - 2`, rounded up, or by `kernel - 1`
    if the stride is not smaller than the kernel.
    """
    fine = tuple(length * stride for length in size)
    before = tuple(
        0 if stride > length - 1 else length - 1 - -(-(length + stride - 2) // 2)
        for length in kernel
    )
    return Geometry(stride, fine, size, kernel, before)
