"""The recurrent generator of characters in PyTorch, `gan_jax.networks.recurrent_text`."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.case import LATENT, LENGTH, UNITS, VOCABULARY


class RecurrentGenerator(nn.Module):
    """A gated recurrent unit that reads the symbols it draws, straight-through, at temperature 1.

    Its latents have the noise of the draws, as this package's do. PyTorch's unit has biases of two
    gates twice; `redundant` is how many numbers these are.
    """

    redundant = 2 * UNITS

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(LATENT, UNITS)
        self.cell = nn.GRUCell(VOCABULARY, UNITS)
        self.last = nn.Linear(UNITS, VOCABULARY)

    def forward(self, latent: Tensor) -> Tensor:
        noise = latent[:, LATENT:].reshape(-1, LENGTH, VOCABULARY)
        gumbel = -torch.log(-torch.special.log_ndtr(noise))
        hidden = torch.tanh(self.first(latent[:, :LATENT]))
        symbol, symbols = torch.zeros_like(noise[:, 0]), []
        for place in range(LENGTH):
            hidden = self.cell(symbol, hidden)
            soft = torch.softmax(self.last(hidden) + gumbel[:, place], dim=-1)
            hard = functional.one_hot(soft.argmax(dim=-1), VOCABULARY)
            symbol = hard + (soft - soft.detach())
            symbols.append(symbol)
        return torch.stack(symbols, dim=2)
