"""WaveGAN (Donahue et al., 2019) in PyTorch, with the same parameters as `networks.wavegan`."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.case import LATENT, SAMPLES_OF_SOUND, SOUND_WIDTH

LAYERS, TAPS, STRIDE = 5, 25, 4
FRONT, BACK = 10, 11  # padding of "SAME"
SHIFT = 2  # of phase shuffling, at most
START, WIDEST = SAMPLES_OF_SOUND // STRIDE**LAYERS, 2 ** (LAYERS - 1) * SOUND_WIDTH


class WaveGenerator(nn.Module):
    """Transposed convolutions that make a sequence four times as long."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(LATENT, START * WIDEST)
        channels = [WIDEST // 2**layer for layer in range(LAYERS)] + [1]
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(inputs, outputs, TAPS, STRIDE, padding=FRONT)
            for inputs, outputs in itertools.pairwise(channels)
        )

    def forward(self, latent: Tensor) -> Tensor:
        x = functional.relu(self.first(latent)).reshape(-1, WIDEST, START)
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x)[..., :-1])
        return torch.tanh(self.layers[-1](x)[..., :-1])


class WaveDiscriminator(nn.Module):
    """Convolutions that make a sequence a quarter as long, with phases shuffled between them."""

    def __init__(self):
        super().__init__()
        channels = [1] + [2**layer * SOUND_WIDTH for layer in range(LAYERS)]
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, TAPS, STRIDE)
            for inputs, outputs in itertools.pairwise(channels)
        )
        self.last = nn.Linear(START * WIDEST, 1)

    def forward(self, x: Tensor) -> Tensor:
        for number, layer in enumerate(self.layers):
            x = functional.leaky_relu(layer(functional.pad(x, (FRONT, BACK))), 0.2)
            if self.training and number < LAYERS - 1:
                start = int(torch.randint(2 * SHIFT + 1, ()))
                padded = functional.pad(x, (SHIFT, SHIFT), mode="reflect")
                x = padded[..., start : start + x.shape[-1]]
        return self.last(x.flatten(1))
