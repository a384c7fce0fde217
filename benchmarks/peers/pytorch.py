"""PyTorch, eager or compiled, with channels first or last.

Both gradients come from one forward pass, each with respect to its own player's parameters only;
when compiled, the backward passes compute the others too.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch._functorch.config
from torch import nn
from torch.nn import functional

from peers.case import LATENT, WIDTH, Case, Peer

SAMPLED_TOGETHER = 250


def make_generator(case: Case) -> nn.Module:
    base = case.size // 4

    def normalised(features: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(features, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3)]

    return nn.Sequential(
        nn.Linear(LATENT, base * base * 4 * WIDTH, bias=False),
        nn.BatchNorm1d(base * base * 4 * WIDTH, eps=1e-3, momentum=0.01),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (4 * WIDTH, base, base)),
        nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 5, 1, 2, bias=False),
        *normalised(2 * WIDTH),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 5, 2, 2, 1, bias=False),
        *normalised(WIDTH),
        nn.ConvTranspose2d(WIDTH, case.channels, 5, 2, 2, 1, bias=False),
        nn.Tanh(),
    )


def make_discriminator(case: Case) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(case.channels, WIDTH, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(WIDTH, 2 * WIDTH, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear((case.size // 4) ** 2 * 2 * WIDTH, 1),
    )


def build(case: Case, batch: np.ndarray, *, compiled: bool, channels_last: bool) -> Peer:
    order = torch.channels_last if channels_last else torch.contiguous_format
    generator = make_generator(case).to(memory_format=order)
    discriminator = make_discriminator(case).to(memory_format=order)
    real = torch.from_numpy(batch).permute(0, 3, 1, 2).contiguous(memory_format=order)
    players = generator, discriminator
    optimizers = [torch.optim.Adam(p.parameters(), 1e-4, eps=1e-7) for p in players]
    if compiled:
        torch._functorch.config.donated_buffer = False  # two gradients go back through one pass
    generate, judge = map(torch.compile, players) if compiled else players

    def step() -> None:
        inputs = real.requires_grad_(bool(case.r1_weight))
        fake_logits = judge(generate(torch.randn(case.batch, LATENT)))
        real_logits = judge(inputs)
        ones, zeros = torch.ones_like(fake_logits), torch.zeros_like(fake_logits)
        loss = functional.binary_cross_entropy_with_logits
        d_loss = loss(real_logits, ones) + loss(fake_logits, zeros)
        if case.r1_weight:
            (gradient,) = torch.autograd.grad(real_logits.sum(), inputs, create_graph=True)
            d_loss = d_loss + case.r1_weight / 2 * gradient.square().sum((1, 2, 3)).mean()
        losses = loss(fake_logits, ones), d_loss
        gradients = [
            torch.autograd.grad(one, list(player.parameters()), retain_graph=one is losses[0])
            for one, player in zip(losses, players, strict=True)
        ]
        for optimizer, player, grads in zip(optimizers, players, gradients, strict=True):
            for parameter, grad in zip(player.parameters(), grads, strict=True):
                parameter.grad = grad
            optimizer.step()

    def train(steps: int) -> None:
        for _ in range(steps):
            step()

    parameters = sum(p.numel() for player in players for p in player.parameters())
    return Peer(train, lambda count: sampled(count, generator, generate), parameters)


def sampled(
    count: int, generator: nn.Module, generate: Callable | None = None, latent: int = LATENT
) -> np.ndarray:
    """Draws samples in inference mode, by the compiled form of the generator if there is one."""
    generator.eval()
    with torch.inference_mode():
        parts = [
            (generate or generator)(torch.randn(SAMPLED_TOGETHER, latent)).movedim(1, -1).numpy()
            for _ in range(0, count, SAMPLED_TOGETHER)
        ]
    generator.train()
    return np.concatenate(parts)[:count]
