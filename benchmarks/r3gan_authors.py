"""The authors' R3GAN, brownvc/R3GAN, for `parity_r3gan.py`: networks, settings and a step."""

import ast
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

EXPANSION = 2
COUNTED = 512  # images that a step counts in schedules, whatever the batch

Tree = dict[str, Any]
Weights = dict[str, np.ndarray]


class Authors:
    """What is used of a checkout of their repository.

    Attributes:
        resamplers: their modules that halve and double the resolution.
        augmentations: their module of augmentations.
        settings: of their preset CIFAR10, conditional; by their names.
        schedule: their function from a number of images to a value.
    """

    def __init__(self, checkout: Path):
        sys.path.insert(0, str(checkout))
        from R3GAN.Networks import Discriminator, Generator
        from R3GAN.Resamplers import InterpolativeDownsampler, InterpolativeUpsampler
        from R3GAN.Trainer import AdversarialTraining
        from training.augment import AugmentPipe

        self._networks = {"generator": Generator, "discriminator": Discriminator}
        self._trainer = AdversarialTraining
        self.resamplers = {
            "downsample": InterpolativeDownsampler,
            "upsample": InterpolativeUpsampler,
        }
        self.augmentations = AugmentPipe
        # These files import modules that need a GPU or are not installed, so only the function and
        # the settings that are compared are taken from them.
        loop = ast.parse((checkout / "training" / "training_loop.py").read_text())
        names = {"np": np}
        _execute([_found(loop, ast.FunctionDef, "cosine_decay_with_warmup")], names)
        self.schedule = names["cosine_decay_with_warmup"]
        train = ast.parse((checkout / "train.py").read_text())
        players = {"G_kwargs": types.SimpleNamespace(), "D_kwargs": types.SimpleNamespace()}
        chosen = types.SimpleNamespace(**players)
        names = {
            "c": chosen,
            "opts": types.SimpleNamespace(cond=True),
            "dnnlib": types.SimpleNamespace(EasyDict=dict),
        }
        _execute(_found(train, ast.If, "opts.preset == 'CIFAR10'").body, names)
        for assigned in ("c.G_opt_kwargs =", "c.D_opt_kwargs =", "c.augment_kwargs ="):
            _execute([_found(train, ast.Assign, assigned)], names)
        self.settings = vars(chosen) | names

    def network(
        self, player: str, widths: tuple[int, ...], shape: dict[str, int], classes: int
    ) -> torch.nn.Module:
        """Makes a network with the initial weights they give it.

        Args:
            player: "generator" or "discriminator".
            widths: channels at each resolution, the lowest first.
            shape: "latent", "blocks" and "group", as in this package.
            classes: number of classes, 0 for unconditional.
        """
        ordered = list(widths if player == "generator" else widths[::-1])
        fields: dict[str, Any] = {
            "WidthPerStage": ordered,
            "CardinalityPerStage": [EXPANSION * width // shape["group"] for width in ordered],
            "BlocksPerStage": [shape["blocks"]] * len(widths),
            "ExpansionFactor": EXPANSION,
        }
        if player == "generator":
            fields["NoiseDimension"] = shape["latent"]
        if classes:
            length = shape["latent"] if player == "generator" else widths[0]
            fields |= {"ConditionDimension": classes, "ConditionEmbeddingDimension": length}
        return self._networks[player](**fields)

    def values(self, step: int, steps: int) -> dict[str, float]:
        """What their schedules say at a step, if they end after `steps` of them, by short names."""
        length = {"total_nimg": COUNTED * steps}
        return {
            name.removesuffix("_scheduler"): self.schedule(COUNTED * step, **setting | length)
            for name, setting in self.settings.items()
            if name.endswith("_scheduler")
        }

    def update(
        self,
        networks: dict[str, torch.nn.Module],
        optimizers: dict[str, torch.optim.Optimizer],
        batches: list[tuple[torch.Tensor, ...]],
        learning_rate: float,
        beta2: float,
        gamma: float,
    ) -> dict[str, float]:
        """Updates the discriminator and then the generator, as their training loop does.

        Args:
            networks: both, which are changed.
            optimizers: theirs.
            batches: the discriminator's and the generator's, each (latents, images, labels).
            learning_rate: of both.
            beta2: of both.
            gamma: the weight of both penalties.

        Returns:
            Losses, weighted penalties and norms of gradients, by the names of this package.
        """
        trainer = self._trainer(networks["generator"], networks["discriminator"])
        seen = {}
        for player, batch in zip(("discriminator", "generator"), batches, strict=True):
            for name, network in networks.items():
                network.zero_grad()
                network.requires_grad_(name == player)
            if player == "discriminator":
                loss, _, r1, r2 = trainer.AccumulateDiscriminatorGradients(*batch, gamma)
                seen["penalty_0_scheduled_r1"] = gamma / 2 * r1.mean().item()
                seen["penalty_1_scheduled_r2"] = gamma / 2 * r2.mean().item()
            else:
                loss, _ = trainer.AccumulateGeneratorGradients(*batch)
            seen[f"{player}_loss"] = loss.mean().item()
            gradients = [parameter.grad for parameter in networks[player].parameters()]
            norm = torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))
            seen[f"gradient_norm_{player}"] = norm.item()
            for group in optimizers[player].param_groups:
                group["lr"], group["betas"] = learning_rate, (0, beta2)
            optimizers[player].step()
        return seen


def to_torch(array: Any) -> torch.Tensor:
    """Images as PyTorch has them, channels before height and width; other arrays as they are."""
    array = np.asarray(array)
    return torch.tensor(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array)


def from_torch(tensor: torch.Tensor) -> np.ndarray:
    """The opposite of `to_torch`."""
    array = tensor.detach().numpy()
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def one_hot(labels: np.ndarray | None, classes: int) -> torch.Tensor | None:
    """Labels as their networks take them."""
    return None if labels is None else torch.tensor(np.eye(classes, dtype=np.float32)[labels])


def weights_of(network: torch.nn.Module) -> Weights:
    """A copy of a network's parameters, by their names."""
    return {name: p.detach().numpy().copy() for name, p in network.named_parameters()}


def draw_zeros(network: torch.nn.Module, random: np.random.Generator) -> None:
    """Draws what starts at 0: biases, and the last layer of each block."""
    for name, parameter in network.named_parameters():
        if "Bias" in name or "LinearLayer3" in name:
            deviation = 0.1 if "Bias" in name else 0.3 * parameter.shape[1] ** -0.5
            drawn = random.normal(0, deviation, parameter.shape).astype(np.float32)
            parameter.data = torch.tensor(drawn)


def params(player: str, weights: Weights) -> Tree:
    """Their weights, as this package names and arranges them."""
    return (_generator if player == "generator" else _discriminator)(weights)


def _generator(weights: Weights) -> Tree:
    dense = [
        "EmbeddingLayer.weight",
        "MainLayers.0.Layers.0.LinearLayer.weight",
        *_named(weights, "LinearLayer.Layer.weight"),
        "AggregationLayer.Layer.weight",
    ]
    pattern = weights["MainLayers.0.Layers.0.Basis"].transpose(1, 2, 0)
    return {"pattern": pattern} | _layers(weights, dense)


def _discriminator(weights: Weights) -> Tree:
    (basis,) = _named(weights, "Basis.weight")
    dense = [
        "ExtractionLayer.Layer.weight",
        *_named(weights, "LinearLayer.Layer.weight"),
        basis.replace("Basis", "LinearLayer"),
        "EmbeddingLayer.weight",
    ]
    return {"pattern": weights[basis][:, 0].transpose(1, 2, 0)} | _layers(weights, dense)


def _named(weights: Weights, end: str) -> list[str]:
    return [name for name in weights if name.endswith(f".{end}")]


def _layers(weights: Weights, dense: list[str]) -> Tree:
    kernels = [_kernel(weights[name]) for name in dense if name in weights]
    layers: Tree = {f"Dense_{index}": {"kernel": kernel} for index, kernel in enumerate(kernels)}
    firsts = _named(weights, "LinearLayer1.Layer.weight")
    for index, first in enumerate(firsts):
        block = first.removesuffix("LinearLayer1.Layer.weight")
        last = weights[f"{block}LinearLayer3.Layer.weight"]
        layers[f"Block_{index}"] = {
            "Dense_0": {
                "kernel": _kernel(weights[first]),
                "bias": weights[f"{block}NonLinearity1.Bias"],
            },
            "Conv_0": {
                "kernel": weights[f"{block}LinearLayer2.Layer.weight"].transpose(2, 3, 1, 0),
                "bias": weights[f"{block}NonLinearity2.Bias"],
            },
            "Dense_1": {"kernel": _kernel(last)},
        }
    return layers


def _kernel(weight: np.ndarray) -> np.ndarray:
    return weight.reshape(weight.shape[:2]).T


def _found(tree: ast.AST, kind: type[ast.AST], words: str) -> Any:
    """The statement of a kind that has these words in its first line."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, kind))
    return next(node for node in nodes if words in ast.unparse(node).partition("\n")[0])


def _execute(statements: list[ast.stmt], names: dict[str, Any]) -> None:
    exec(compile(ast.Module(statements, []), "<the authors' code>", "exec"), names)
