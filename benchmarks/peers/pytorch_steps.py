"""Steps of `peers.pytorch_players` in eager PyTorch, in the alternating order of `gan.update`."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.case import VOCABULARY, Case, Peer
from peers.pytorch import sampled
from peers.pytorch_players import players

RELATIVISTIC = "r3gan", "recurrent"  # whose loss has R1 and R2


def build(case: Case, batch: np.ndarray, *, channels_last: bool) -> Peer:
    generator, discriminator = players(case)
    batches = _prepared(case, batch).split(case.batch)
    if channels_last and batches[0].dim() == 4:
        generator, discriminator = (
            player.to(memory_format=torch.channels_last) for player in (generator, discriminator)
        )
        batches = [real.contiguous(memory_format=torch.channels_last) for real in batches]
    optimizers = [
        torch.optim.Adam(player.parameters(), 1e-4, betas=(0.0, 0.9))
        for player in (generator, discriminator)
    ]

    def descend(index: int, loss: Tensor) -> None:
        player = (generator, discriminator)[index]
        parameters = list(player.parameters())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = gradient
        optimizers[index].step()

    def draw() -> Tensor:
        return generator(torch.randn(case.batch, case.latent))

    def discriminator_step(real: Tensor) -> None:
        with torch.no_grad():
            fake = draw()
        descend(1, discriminator_loss(case, discriminator, real, fake))

    def step() -> None:
        for real in batches:
            discriminator_step(real)
        fake_logits = discriminator(draw())
        if case.networks in RELATIVISTIC:
            loss = functional.softplus(discriminator(batches[-1]) - fake_logits).mean()
        else:
            loss = -fake_logits.mean()
        descend(0, loss)

    def train(steps: int) -> None:
        for _ in range(steps):
            step()

    count = sum(p.numel() for player in (generator, discriminator) for p in player.parameters())
    count -= getattr(generator, "redundant", 0)
    return Peer(train, lambda count: sampled(count, generator, latent=case.latent), count)


def discriminator_loss(case: Case, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The mean loss with its penalties."""
    if case.networks in ("resnet", "sagan"):  # hinge
        real_part = functional.relu(1 - discriminator(real)).mean()
        return real_part + functional.relu(1 + discriminator(fake)).mean()
    if case.networks in RELATIVISTIC:
        real, fake = (of.detach().requires_grad_() for of in (real, fake))
        logits = discriminator(real), discriminator(fake)
        loss = functional.softplus(logits[1] - logits[0]).mean()
        for of, logit in zip((real, fake), logits, strict=True):
            loss = loss + 0.5 * _squared_gradient(logit, of).mean()
        return loss
    share = torch.rand(len(real), 1, 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    norm = _squared_gradient(discriminator(between), between).sqrt()
    loss = discriminator(fake).mean() - discriminator(real).mean()
    return loss + 10 * (norm - 1).square().mean()


def _squared_gradient(logits: Tensor, inputs: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(logits.sum(), inputs, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def _prepared(case: Case, batch: np.ndarray) -> Tensor:
    """Stored samples as the discriminator takes them, channels first."""
    stored = torch.from_numpy(batch)
    if case.networks in ("text", "recurrent"):
        return functional.one_hot(stored.long(), VOCABULARY).float().transpose(1, 2).contiguous()
    if case.networks == "wavegan":
        return (stored.float() / (2**15 - 1)).transpose(1, 2).contiguous()
    return (stored.float() / 127.5 - 1).permute(0, 3, 1, 2).contiguous()
