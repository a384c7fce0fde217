"""Compares the networks of `peers/pytorch_players.py` with this package's, with equal weights.

    python benchmarks/parity_peers.py

Needs PyTorch. Weights are random, biases and statistics included; spectral normalisation is off, as
its power iterations start from vectors of their own. Printed are the largest errors of outputs
relative to the largest output.
"""

import dataclasses
import itertools

import jax
import numpy as np
import torch
import tyro
from peers import ours
from peers.case import CASES, LENGTH, UNITS, WIDTH
from peers.pytorch_players import RESNET_BASE, players
from peers.pytorch_wavegan import START, WIDEST
from torch import Tensor, nn
from torch.nn.utils import parametrize

Params = dict[str, Tensor]


def main() -> None:
    """Compares all pairs."""
    random = np.random.default_rng(0)
    for name, case in CASES.items():
        if case.networks == "dcgan":
            continue
        experiment = ours.experiment_of(case)
        modules = experiment.generator, experiment.discriminator
        if case.networks in ("resnet", "sagan"):
            modules = (dataclasses.replace(module, spectral=False) for module in modules)
        shapes = (case.latent,), experiment.data.sample_shape
        for module, peer, shape in zip(modules, players(case), shapes, strict=True):
            inputs = random.normal(size=(3, *shape)).astype(np.float32)
            variables = module.init(jax.random.key(0), inputs, training=False)
            params = jax.tree.map(
                lambda leaf: leaf + random.normal(0, 0.05, leaf.shape).astype(np.float32),
                variables.pop("params"),
            )
            copied(peer, _flat(params))
            expected, _ = module.apply(
                {"params": params, **variables},
                inputs,
                training=case.networks != "wavegan",  # which shuffles phases
                mutable=list(variables),
            )
            peer.eval() if case.networks == "wavegan" else peer.train()  # shuffles phases
            first = torch.from_numpy(inputs)
            with torch.no_grad():
                found = peer(first.movedim(-1, 1).contiguous() if first.dim() > 2 else first)
            found = found.movedim(1, -1).numpy() if expected.ndim > 1 else found[:, 0].numpy()
            error = np.abs(found - expected).max() / np.abs(expected).max()
            print(f"{name}, {type(peer).__name__}: {error:.1e}")


def copied(peer: nn.Module, params: Params) -> None:
    """Puts the parameters of a module of this package into its peer."""
    name = type(peer).__name__
    if name.startswith("Resnet"):
        _copy_resnet(peer, params)
    elif name.startswith("R3"):
        _copy_r3gan(peer, params)
    elif name.startswith("Recurrent"):
        _copy_recurrent(peer, params)
    elif name.startswith("Wave"):
        _copy_wavegan(peer, params)
    else:
        _copy_text(peer, params)


def _copy_resnet(peer: nn.Module, params: Params) -> None:
    numbers = itertools.count()

    def set_next(layer: nn.Module) -> None:
        if parametrize.is_parametrized(layer):
            parametrize.remove_parametrizations(layer, "weight")
        _set(layer, params, f"Spectral_{next(numbers)}/layer")

    if peer.attention is not None:
        for name, layer in (*peer.attention.projections.items(), ("output", peer.attention.output)):
            parametrize.remove_parametrizations(layer, "weight")
            _set(layer, params, f"SelfAttention_0/{name}/layer")
        peer.attention.gain.data = params["SelfAttention_0/gain"]
    if hasattr(peer, "first"):
        if parametrize.is_parametrized(peer.first):
            parametrize.remove_parametrizations(peer.first, "weight")
        name = f"Spectral_{next(numbers)}/layer"
        for part in ("kernel", "bias"):
            of = params[f"{name}/{part}"].unflatten(-1, (RESNET_BASE, RESNET_BASE, WIDTH))
            params[f"{name}/{part}"] = of.movedim(-1, -3).flatten(-3)
        _set(peer.first, params, name)
    for index, block in enumerate(peer.blocks):
        for layer in (*block.convs, block.skip):
            if not isinstance(layer, nn.Identity):
                set_next(layer)
        for half, norm in enumerate(getattr(block, "norms", ())):
            _set_norm(norm, params, 2 * index + half)
    if hasattr(peer, "norm"):
        _set_norm(peer.norm, params, 2 * len(peer.blocks))
        set_next(peer.last)
    else:
        parametrize.remove_parametrizations(peer.logit, "weight")
        _set(peer.logit, params, "logit/layer")


def _copy_r3gan(peer: nn.Module, params: Params) -> None:
    for index, block in enumerate(peer.blocks):
        _set(block.before, params, f"Block_{index}/Dense_0")
        _set(block.grouped, params, f"Block_{index}/Conv_0")
        _set(block.after, params, f"Block_{index}/Dense_1")
    peer.pattern.data = params["pattern"].permute(2, 0, 1)
    (change,) = (layer for layer in peer.widths if not isinstance(layer, nn.Identity))
    first, last = (peer.scales, peer.last) if hasattr(peer, "scales") else (peer.first, peer.logit)
    for number, layer in enumerate((first, change, last)):
        _set(layer, params, f"Dense_{number}")


def _copy_wavegan(peer: nn.Module, params: Params) -> None:
    transposed = hasattr(peer, "first")
    for number, layer in enumerate(peer.layers):
        name = f"{'ConvTranspose1d' if transposed else 'Conv1d'}_{number}"
        kernel = params[f"{name}/kernel"]  # [taps, inputs, outputs]
        layer.weight.data = (
            kernel.flip(0).permute(1, 2, 0) if transposed else kernel.permute(2, 1, 0)
        )
        layer.bias.data = params[f"{name}/bias"]
    axis = -1 if transposed else 0  # positions before channels
    for part in ("kernel", "bias") if transposed else ("kernel",):
        of = params[f"Dense_0/{part}"].unflatten(axis, (START, WIDEST))
        first = axis if axis == 0 else of.dim() - 2
        params[f"Dense_0/{part}"] = of.swapaxes(first, first + 1).flatten(first, first + 1)
    _set(peer.first if transposed else peer.last, params, "Dense_0")


def _copy_recurrent(peer: nn.Module, params: Params) -> None:
    _set(peer.first, params, "Dense_0")
    writer = "Scan_Writer_0"
    _set(peer.last, params, f"{writer}/Dense_0")
    for kind in "ih":  # what is read, and the state
        gates = [f"{writer}/GRUCell_0/{kind}{gate}" for gate in "rzn"]
        weights = torch.cat([params[f"{gate}/kernel"] for gate in gates], dim=1).T
        biases = [params.get(f"{gate}/bias", torch.zeros(UNITS)) for gate in gates]
        getattr(peer.cell, f"weight_{kind}h").data = weights.contiguous()
        getattr(peer.cell, f"bias_{kind}h").data = torch.cat(biases)


def _copy_text(peer: nn.Module, params: Params) -> None:
    for number, conv in enumerate(conv for block in peer.blocks for conv in block.convs):
        _set(conv, params, f"Conv1d_{number}")
    long = "Dense_0" if isinstance(peer.first, nn.Linear) else "Dense_1"  # over all positions
    for part in ("kernel", "bias"):
        axis = -1 if long == "Dense_0" else 0
        of = params[f"{long}/{part}"]
        if of.shape[axis] == LENGTH * WIDTH:
            of = of.unflatten(axis, (LENGTH, WIDTH))
            moved = of.swapaxes(axis - 1, axis) if axis else of.swapaxes(0, 1)
            params[f"{long}/{part}"] = moved.flatten(axis - 1) if axis else moved.flatten(0, 1)
    _set(peer.first, params, "Dense_0")
    _set(peer.last, params, "Dense_1")


def _set(layer: nn.Module, params: Params, name: str) -> None:
    """Sets weight and bias of a layer, with the axes in PyTorch's order."""
    kernel = params[f"{name}/kernel"]
    kernel = kernel.permute(-1, -2, *range(kernel.dim() - 2))
    layer.weight.data = kernel.reshape(layer.weight.shape).contiguous()
    if layer.bias is not None:
        layer.bias.data = params[f"{name}/bias"].contiguous()


def _set_norm(norm: nn.Module, params: Params, number: int) -> None:
    for ours_, theirs in (("scale", norm.weight), ("bias", norm.bias)):
        theirs.data = params[f"Normalise_{number}/BatchNorm_0/{ours_}"]


def _flat(params: dict) -> Params:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): torch.from_numpy(np.array(leaf))
        for path, leaf in leaves
    }


if __name__ == "__main__":
    tyro.cli(main)
