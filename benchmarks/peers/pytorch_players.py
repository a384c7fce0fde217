"""Other networks than the DCGAN's in PyTorch, with the same parameters as this package's.

Each pair is written after the paper: `gan_jax.networks.resnet` (Miyato et al., 2018; with attention
Zhang et al., 2019), `r3gan` (Huang et al., 2024) and `text` (Gulrajani et al., 2017).
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from peers.case import LATENT, LENGTH, VOCABULARY, WIDTH, Case
from peers.pytorch_recurrent import RecurrentGenerator
from peers.pytorch_wavegan import WaveDiscriminator, WaveGenerator

RESNET_BASE = 4
TAPS = (0.125, 0.375, 0.375, 0.125)
GROUP, EXPANSION, SLOPE = 16, 2, 0.2
R3GAN_WIDTHS = (64, 64, 32, 32)
BLOCKS = 5


def players(case: Case) -> tuple[nn.Module, nn.Module]:
    """Returns the generator and the discriminator of a case."""
    if case.networks in ("resnet", "sagan"):
        attention = case.networks == "sagan"
        return ResnetGenerator(attention), ResnetDiscriminator(attention)
    if case.networks == "r3gan":
        return R3Generator(), R3Discriminator()
    if case.networks == "wavegan":
        return WaveGenerator(), WaveDiscriminator()
    generator = RecurrentGenerator() if case.networks == "recurrent" else TextGenerator()
    return generator, TextDiscriminator()


class ResnetGenerator(nn.Module):
    """Residual blocks that double the map; with attention, it comes before the last of them."""

    def __init__(self, attention: bool):
        super().__init__()
        normalised = spectral_norm if attention else lambda layer: layer
        self.first = normalised(nn.Linear(LATENT, RESNET_BASE**2 * WIDTH))
        self.blocks = nn.ModuleList(_UpBlock(normalised) for _ in range(3))
        self.attention = Attention() if attention else None
        self.norm = nn.BatchNorm2d(WIDTH, eps=1e-5, momentum=0.1)
        self.last = normalised(nn.Conv2d(WIDTH, 3, 3, padding=1))

    def forward(self, latent: Tensor) -> Tensor:
        x = self.first(latent).reshape(-1, WIDTH, RESNET_BASE, RESNET_BASE)
        for index, block in enumerate(self.blocks):
            if self.attention is not None and index == len(self.blocks) - 1:
                x = self.attention(x)
            x = block(x)
        return torch.tanh(self.last(functional.relu(self.norm(x))))


class Attention(nn.Module):
    """Self-attention between the positions of a map, normalised spectrally."""

    def __init__(self):
        super().__init__()
        widths = {"query": WIDTH // 8, "key": WIDTH // 8, "value": WIDTH // 2}
        self.projections = nn.ModuleDict(
            {
                name: spectral_norm(nn.Conv2d(WIDTH, width, 1, bias=False))
                for name, width in widths.items()
            }
        )
        self.output = spectral_norm(nn.Conv2d(WIDTH // 2, WIDTH, 1, bias=False))
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.projections["query"](x).flatten(2)
        key, value = (
            functional.max_pool2d(self.projections[name](x), 2).flatten(2)
            for name in ("key", "value")
        )
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # [batch, positions, seen]
        seen = (value @ weights.transpose(1, 2)).reshape(len(x), -1, *x.shape[2:])
        return x + self.gain * self.output(seen)


class _UpBlock(nn.Module):
    def __init__(self, normalised: Callable[[nn.Module], nn.Module]):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(WIDTH, eps=1e-5, momentum=0.1) for _ in range(2))
        self.convs = nn.ModuleList(
            normalised(nn.Conv2d(WIDTH, WIDTH, 3, padding=1)) for _ in range(2)
        )
        self.skip = normalised(nn.Conv2d(WIDTH, WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.interpolate(functional.relu(self.norms[0](x)), scale_factor=2)
        y = self.convs[1](functional.relu(self.norms[1](self.convs[0](y))))
        return y + functional.interpolate(self.skip(x), scale_factor=2)


class ResnetDiscriminator(nn.Module):
    """Residual blocks that halve the map, or keep it; with attention after the first or without."""

    def __init__(self, attention: bool):
        super().__init__()
        self.blocks = nn.ModuleList(
            _DownBlock(inputs, halve, skip, first=not index)
            for index, (inputs, halve, skip) in enumerate(
                ((3, True, True), (WIDTH, True, True), (WIDTH, False, False), (WIDTH, False, False))
            )
        )
        self.attention = Attention() if attention else None
        self.logit = spectral_norm(nn.Linear(WIDTH, 1))

    def forward(self, x: Tensor) -> Tensor:
        for index, block in enumerate(self.blocks):
            x = block(x)
            if self.attention is not None and not index:
                x = self.attention(x)
        return self.logit(functional.relu(x).sum((2, 3)))


class _DownBlock(nn.Module):
    def __init__(self, inputs: int, halve: bool, skip: bool, first: bool):
        super().__init__()
        self.halve, self.first = halve, first
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(n, WIDTH, 3, padding=1)) for n in (inputs, WIDTH)
        )
        self.skip = spectral_norm(nn.Conv2d(inputs, WIDTH, 1)) if skip else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[0](x if self.first else functional.relu(x))
        y = self.convs[1](functional.relu(y))
        if not self.halve:
            return x + y
        return functional.avg_pool2d(y, 2) + self.skip(functional.avg_pool2d(x, 2))


class _R3Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        wide = EXPANSION * width
        self.before = nn.Conv2d(width, wide, 1)
        self.grouped = nn.Conv2d(wide, wide, 3, padding=1, groups=wide // GROUP)
        self.after = nn.Conv2d(wide, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.leaky_relu(self.before(x), SLOPE)
        return x + self.after(functional.leaky_relu(self.grouped(y), SLOPE))


class R3Generator(nn.Module):
    """Grouped bottlenecks and filtered upsampling."""

    def __init__(self):
        super().__init__()
        widths = R3GAN_WIDTHS
        self.scales = nn.Linear(LATENT, widths[0], bias=False)
        self.pattern = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.blocks = nn.ModuleList(map(_R3Block, widths))
        self.widths = _changes(widths[:-1], widths[1:])
        self.last = nn.Conv2d(widths[-1], 3, 1, bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.pattern * self.scales(latent)[:, :, None, None]
        for index, block in enumerate(self.blocks):
            if index:
                x = _up(self.widths[index - 1](x))
            x = block(x)
        return self.last(x)


class R3Discriminator(nn.Module):
    """Grouped bottlenecks and filtered downsampling."""

    def __init__(self):
        super().__init__()
        widths = R3GAN_WIDTHS[::-1]
        self.first = nn.Conv2d(3, widths[0], 1, bias=False)
        self.blocks = nn.ModuleList(map(_R3Block, widths))
        self.widths = _changes(widths[:-1], widths[1:])
        self.pattern = nn.Parameter(torch.randn(widths[-1], 4, 4) / 4)
        self.logit = nn.Linear(widths[-1], 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for index, block in enumerate(self.blocks):
            if index:
                x = self.widths[index - 1](_down(x))
            x = block(x)
        return self.logit((x * self.pattern).sum((2, 3)))


def _changes(before: tuple[int, ...], after: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Identity() if one == other else nn.Conv2d(one, other, 1, bias=False)
        for one, other in zip(before, after, strict=True)
    )


@functools.cache
def _filter(channels: int) -> Tensor:
    taps = torch.tensor(TAPS)
    return torch.outer(taps, taps).expand(channels, 1, -1, -1).contiguous()


def _down(x: Tensor) -> Tensor:
    return functional.conv2d(x, _filter(x.shape[1]), stride=2, padding=1, groups=x.shape[1])


def _up(x: Tensor) -> Tensor:
    weight = 4 * _filter(x.shape[1])
    return functional.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])


class _TextBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 5, padding=2) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[0](functional.relu(x))
        return x + 0.3 * self.convs[1](functional.relu(y))


class TextGenerator(nn.Module):
    """Residual blocks of convolutions along a sequence, and a softmax."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(LATENT, LENGTH * WIDTH)
        self.blocks = nn.Sequential(*(_TextBlock() for _ in range(BLOCKS)))
        self.last = nn.Conv1d(WIDTH, VOCABULARY, 1)

    def forward(self, latent: Tensor) -> Tensor:
        x = self.first(latent).reshape(-1, WIDTH, LENGTH)
        return torch.softmax(self.last(self.blocks(x)), dim=1)


class TextDiscriminator(nn.Module):
    """Residual blocks of convolutions along a sequence."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(VOCABULARY, WIDTH, 1)
        self.blocks = nn.Sequential(*(_TextBlock() for _ in range(BLOCKS)))
        self.last = nn.Linear(LENGTH * WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(self.first(x)).flatten(1))
