"""How the positions of a fine map, a coarse map and a kernel belong together."""

from typing import NamedTuple

from jax import lax

Pair = tuple[int, int]


class Geometry(NamedTuple):
    """Sizes along both spatial axes, and the position of the kernel.

    Coarse position `i` and tap `a` meet fine position `stride * i + a - before`. Nothing is kept
    about channels and batch, so one geometry serves convolution and transposed convolution.
    """

    stride: int
    fine: Pair
    coarse: Pair
    kernel: Pair
    before: Pair

    @property
    def phase(self) -> Pair:
        """Size of the maps that hold every `stride`-th fine position, the last one padded."""
        return tuple(-(-length // self.stride) for length in self.fine)


def convolution(size: Pair, kernel: Pair, stride: int) -> Geometry:
    """Geometry of a convolution with padding "SAME" of maps of the given size."""
    pads = lax.padtype_to_pads(size, kernel, (stride, stride), "SAME")
    coarse = tuple(-(-length // stride) for length in size)
    return Geometry(stride, size, coarse, kernel, tuple(before for before, _ in pads))


def transposed_convolution(size: Pair, kernel: Pair, stride: int) -> Geometry:
    """Geometry of the transpose of Flax's "SAME" transposed convolution of such maps.

    Flax slides the kernel as it is over the map dilated by the stride, so the form takes the kernel
    flipped; it pads in front by half of `kernel + stride - 2`, rounded up, or by `kernel - 1` where
    the stride is not below the kernel.
    """
    fine = tuple(length * stride for length in size)
    before = tuple(
        0 if stride > length - 1 else length - 1 - -(-(length + stride - 2) // 2)
        for length in kernel
    )
    return Geometry(stride, fine, size, kernel, before)
