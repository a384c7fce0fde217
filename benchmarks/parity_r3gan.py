"""Compares R3GAN here with the authors' code, brownvc/R3GAN, on the same weights and data.

Both get the same random weights, latents, labels and images. Weights that start at 0 are drawn,
too. Printed is the largest error of every group, relative to the largest magnitude in the authors'
tensor, and where it is; the exit code is 1 if an error is above 1e-4. Of initial weights, which
each side draws by itself, the standard deviations are compared.

It needs PyTorch, which is not a dependency of the package, and a checkout of their repository.

    PYTHONPATH=. python benchmarks/parity_r3gan.py path/to/R3GAN
"""

import argparse
import dataclasses
import functools
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks import r3gan_authors
from benchmarks.parity import report
from benchmarks.r3gan_authors import COUNTED, Authors, Tree, from_torch, one_hot, to_torch
from gan_jax import gan
from gan_jax.augmentation import GeometryAndColour
from gan_jax.experiment import Experiment, half_life
from gan_jax.networks import r3gan
from gan_jax.ops import resampling
from gan_jax.optimizers import Schedule
from gan_jax.penalties import R1, R2
from gan_jax.runs.serialisation import load_experiment

RECIPE = load_experiment(Path(__file__).parents[1] / "experiments" / "r3gan_cifar10.py")
PLAYERS = ("generator", "discriminator")
SHAPE = {"latent": 16, "blocks": 2, "group": 16}
CLASSES = 10
TOLERANCE = 1e-4
STANDARD_ERRORS = 6.0  # between standard deviations of initial weights

# Of the updates, on both sides. Adam's first step with the recipe's eps is the gradient's sign,
# which rounding decides where the gradient is nearly 0; and with its learning rate, 1e-4 of a
# parameter would be a large part of its change.
UPDATES, SCHEDULED_STEPS, HALF_LIFE = 2, 4, 2
EPS, FASTER = 1e-2, 20

Pairs = dict[str, tuple[Any, Any]]  # from "group: tensor" to the authors' array and ours


def resampled(authors: Authors) -> Pairs:
    """Both resampling operations, on maps that are not square."""
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    return {
        f"resampling: {name}": (
            from_torch(module([1, 2, 1])(to_torch(x))),
            getattr(resampling, name)(x),
        )
        for name, module in authors.resamplers.items()
    }


def settings(authors: Authors) -> Pairs:
    """The recipe's sizes and constants, and its schedules at their full length."""
    theirs, network, adam = authors.settings, RECIPE.generator, RECIPE.generator_optimizer
    cardinality = [network.expansion * width // network.group for width in network.widths]
    latent, embedding = RECIPE.latent_size, RECIPE.discriminator.embedding
    factors = RECIPE.augmentations[0]
    pairs: Pairs = {
        "settings: widths": (theirs["WidthPerStage"], network.widths),
        "settings: blocks": (theirs["BlocksPerStage"], [network.blocks] * len(network.widths)),
        "settings: cardinality": (theirs["CardinalityPerStage"], cardinality),
        "settings: latent": (theirs["NoiseDimension"], latent),
        "settings: label in G": (theirs["G_kwargs"].ConditionEmbeddingDimension, latent),
        "settings: label in D": (theirs["D_kwargs"].ConditionEmbeddingDimension, embedding),
        "settings: eps": (theirs["G_opt_kwargs"]["eps"], adam.eps),
        "settings: rotation": (theirs["augment_kwargs"]["rotate"], factors.geometry),
        "settings: hue": (theirs["augment_kwargs"]["hue"], factors.colour),
        "settings: cutout": (theirs["augment_kwargs"]["cutout"], factors.cutout),
    }
    penalty = RECIPE.penalties[0]
    half_lives = COUNTED * np.log(0.5) / np.log(RECIPE.ema_decay)
    scheduled = {
        "lr": (adam.learning_rate, adam.schedule),
        "beta2": (1.0, adam.b2),
        "gamma": (penalty.penalty.gamma, penalty.schedule),
        "aug": (1.0, factors.probability),
        "ema": (half_lives, RECIPE.ema_schedule),
    }
    steps = np.array([0, 1, 1_000, 10_000, 20_000, 30_000, 39_061, 39_063, 50_000, 400_000])
    for name, (factor, schedule) in scheduled.items():
        setting = theirs[f"{name}_scheduler"]
        expected = [authors.schedule(COUNTED * step, **setting) for step in steps]
        pairs[f"schedules: {name}"] = expected, factor * schedule.build()(steps)
    return pairs


def augmented(authors: Authors) -> Pairs:
    """Augmentations with one uniform and one normal number for each image, in all their draws.

    The authors pad a batch as far as one of its images needs, and at most by the whole image, as
    is done here for every batch. The first images move so far that they do the same.
    """
    random, far, count = np.random.default_rng(2), 8, 64
    images = random.uniform(-1, 1, (count, 32, 32, 3)).astype(np.float32)
    normals = np.concatenate([np.full(far, -6.0), random.normal(size=count - far)])
    uniforms = np.concatenate([np.linspace(0.03, 0.47, far), random.uniform(size=count - far)])

    def in_torch(numbers: np.ndarray) -> Callable[..., torch.Tensor]:
        column = torch.tensor(numbers, dtype=torch.float32)
        return lambda shape, **_: column.reshape(-1, *[1] * (len(shape) - 1)).expand(*shape)

    def uniform(key: Any, shape: Any, minval: float, maxval: float) -> jax.Array:
        return minval + jnp.asarray(uniforms, jnp.float32) * (maxval - minval)

    def normal(key: Any, shape: Any) -> jax.Array:
        return jnp.asarray(normals, jnp.float32)

    geometry = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
    colour = ("brightness", "contrast", "lumaflip", "hue", "saturation")
    kinds = {"geometry": geometry, "colour": colour, "cutout": ("cutout",)}
    recipe = {
        name: value
        for name, value in authors.settings["augment_kwargs"].items()
        if name != "class_name"
    }
    cases = {"all, with the recipe's probabilities": (recipe, 0.55, RECIPE.augmentations[0])}
    for kind, names in kinds.items():
        factors = {other: float(other == kind) for other in kinds}
        cases[f"{kind}, always"] = dict.fromkeys(names, 1), 1.0, GeometryAndColour(**factors)
    pairs: Pairs = {}
    for name, (theirs, probability, augmentation) in cases.items():
        pipe = authors.augmentations(**theirs)
        pipe.p.fill_(probability)
        changed = dataclasses.replace(augmentation, probability=probability)
        state = types.SimpleNamespace(step=0)
        with (
            mock.patch.multiple(torch, rand=in_torch(uniforms), randn=in_torch(normals)),
            mock.patch.multiple(jax.random, uniform=uniform, normal=normal),
        ):
            expected = from_torch(pipe(to_torch(images)))
            found = changed(jnp.asarray(images), jax.random.key(0), state)
        pairs[f"augmentations: {name}"] = expected, found
    return pairs


def trained(authors: Authors, widths: tuple[int, ...], batch: int, classes: int) -> Pairs:
    """Outputs of the networks; losses, penalties and all parameters of each update."""
    kind = "conditional" if classes else "unconditional"
    random = np.random.default_rng(1)
    torch.manual_seed(0)
    networks = {player: authors.network(player, widths, SHAPE, classes) for player in PLAYERS}
    for network in networks.values():
        r3gan_authors.draw_zeros(network, random)
    optimizers = {p: torch.optim.Adam(n.parameters(), eps=EPS) for p, n in networks.items()}
    average = r3gan_authors.weights_of(networks["generator"])
    experiment = short_recipe(widths, batch, classes)
    state = gan.init(experiment, 0)
    for player, network in networks.items():
        given = jax.tree.map(jnp.asarray, params_of(player, network))
        own = getattr(state, player)
        assert jax.tree.map(jnp.shape, given) == jax.tree.map(jnp.shape, own.params)
        state = state.replace(**{player: own.replace(params=given)})
    state = state.replace(ema=(state.generator.params, {}))
    update = jax.jit(functools.partial(gan.update, experiment))

    pairs: Pairs = {}
    for step in range(UPDATES):
        samples = random.uniform(-1, 1, (2 * batch, *experiment.data.sample_shape))
        samples = samples.astype(np.float32)
        labels = random.integers(0, classes, 2 * batch).astype(np.int32) if classes else None
        parts = [slice(batch), slice(batch, None)]  # the discriminator's, and the generator's
        batches = [
            (
                to_torch(latents(experiment, state, pass_index)),
                to_torch(samples[part]),
                None if labels is None else one_hot(labels[part], classes),
            )
            for pass_index, part in enumerate(parts)
        ]
        if step == 0:
            pairs |= outputs(kind, networks, batches[0], experiment, state)
        now = authors.values(step, SCHEDULED_STEPS)
        rates = FASTER * now["lr"], now["beta2"], now["gamma"]
        seen = authors.update(networks, optimizers, batches, *rates)
        relative = now["ema"] / authors.settings["ema_scheduler"]["final_value"]
        decay = 0.5 ** (1 / max(HALF_LIFE * relative, 1e-8))
        newest = r3gan_authors.weights_of(networks["generator"])
        average = {name: w + decay * (average[name] - w) for name, w in newest.items()}

        state, metrics = update(state, {"sample": samples, "condition": labels})
        for name, value in seen.items():
            pairs[f"losses, {kind}: {name} {step + 1}"] = value, metrics[name]
        for player, network in networks.items():
            group = f"{player} after update {step + 1}, {kind}"
            pairs |= leaves(group, params_of(player, network), getattr(state, player).params)
        expected = r3gan_authors.params("generator", average)
        pairs |= leaves(f"average after update {step + 1}, {kind}", expected, state.ema[0])
    return pairs


def short_recipe(widths: tuple[int, ...], batch: int, classes: int) -> Experiment:
    """The recipe with smaller networks, shorter schedules and larger updates, unaugmented."""

    def shortened(schedule: Schedule) -> Schedule:
        return dataclasses.replace(schedule, steps=SCHEDULED_STEPS)

    adam = RECIPE.generator_optimizer
    adam = dataclasses.replace(
        adam,
        learning_rate=FASTER * adam.learning_rate,
        b2=shortened(adam.b2),
        eps=EPS,
        schedule=shortened(adam.schedule),
    )
    size = 2 ** (len(widths) + 1)
    return dataclasses.replace(
        RECIPE,
        generator=our_network("generator", widths, classes),
        discriminator=our_network("discriminator", widths, classes),
        data=dataclasses.replace(RECIPE.data, size=size, labels=classes > 0),
        penalties=tuple(
            dataclasses.replace(penalty, schedule=shortened(penalty.schedule))
            for penalty in RECIPE.penalties
        ),
        augmentations=(),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        latent_size=SHAPE["latent"],
        batch_size=batch,
        ema_decay=half_life(HALF_LIFE, 1),
        ema_schedule=shortened(RECIPE.ema_schedule),
        compute_dtype="float32",
    )


def our_network(player: str, widths: tuple[int, ...], classes: int) -> Any:
    """The network of this package."""
    common = {"blocks": SHAPE["blocks"], "group": SHAPE["group"], "classes": classes}
    if player == "generator":
        return r3gan.Generator(widths, **common)
    return r3gan.Discriminator(widths, **common, embedding=widths[0] if classes else 0)


def latents(experiment: Experiment, state: gan.GANState, pass_index: int) -> jax.Array:
    """The latents that an update draws for one of its forward passes."""
    key = gan.stream_key(state.key, state.step, gan.Stream.LATENT, pass_index)
    return gan.draw_latent(experiment, key, experiment.batch_size)


def outputs(
    kind: str,
    networks: dict[str, torch.nn.Module],
    batch: tuple[torch.Tensor, ...],
    experiment: Experiment,
    state: gan.GANState,
) -> Pairs:
    """Images, their logits and those of given ones, and R1 and R2 of each example."""
    latent, real, label = batch
    fake = networks["generator"](latent, label)
    condition = None if label is None else jnp.asarray(label.argmax(1).numpy(), jnp.int32)
    made = gan.generate(experiment, state, jnp.asarray(from_torch(latent)), condition)

    def logits_fn(samples: Any) -> jax.Array:
        return gan.discriminate(experiment, state, samples, condition)

    pairs: Pairs = {f"outputs, {kind}: images": (from_torch(fake), made)}
    inputs = {"real": (real, R1(2.0)), "fake": (fake.detach(), R2(2.0))}
    for name, (samples, penalty) in inputs.items():
        samples.requires_grad_(True)
        logits = networks["discriminator"](samples, label)
        (gradient,) = torch.autograd.grad(logits.sum(), samples)
        samples = jnp.asarray(from_torch(samples))
        found = penalty(logits_fn, samples, samples, jax.random.key(0))
        pairs[f"outputs, {kind}: logits of {name}"] = from_torch(logits), logits_fn(samples)
        squares = from_torch(gradient.square().sum([1, 2, 3]))
        pairs[f"penalties, {kind}: {type(penalty).__name__}"] = squares, found
    return pairs


def params_of(player: str, network: torch.nn.Module) -> Tree:
    """The parameters of one of the authors' networks, as this package names them."""
    return r3gan_authors.params(player, r3gan_authors.weights_of(network))


def leaves(group: str, theirs: Tree, found: Tree) -> Pairs:
    """Pairs of the leaves of two trees, which must have the same names."""
    expected = dict(jax.tree_util.tree_leaves_with_path(theirs))
    own = dict(jax.tree_util.tree_leaves_with_path(found))
    assert expected.keys() == own.keys()
    names = {path: jax.tree_util.keystr(path, simple=True, separator="/") for path in own}
    return {f"{group}: {name}": (expected[path], own[path]) for path, name in names.items()}


def farthest_deviation(authors: Authors, widths: tuple[int, ...]) -> tuple[float, str]:
    """How far apart standard deviations of initial weights are at most, in standard errors."""
    found = {}
    for player in PLAYERS:
        theirs = params_of(player, authors.network(player, widths, SHAPE, CLASSES))
        size = 2 ** (len(widths) + 1)
        inputs = {"generator": (1, SHAPE["latent"]), "discriminator": (1, size, size, 3)}[player]
        arguments = jnp.zeros(inputs), jnp.zeros(1, jnp.int32)
        network = our_network(player, widths, CLASSES)
        drawn = network.init(jax.random.key(0), *arguments, training=False)["params"]
        for name, (one, other) in leaves(player, theirs, drawn).items():
            apart, largest = abs(np.std(one) - np.std(other)), max(np.std(one), np.std(other))
            # The standard error of a standard deviation is deviation / sqrt(2 * count).
            found[name] = apart / (largest / np.sqrt(np.size(one))) if largest else 0.0
    name = max(found, key=found.get)
    return float(found[name]), name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="folder with the authors' repository")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 64, 48, 32])
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    authors, widths = Authors(options.checkout.resolve()), tuple(options.widths)
    pairs = resampled(authors) | settings(authors) | augmented(authors)
    for classes in (0, CLASSES):
        pairs |= trained(authors, widths, options.batch, classes)
    sizes = f"widths {widths}, batch {options.batch}"
    print(f"PyTorch {torch.__version__} and JAX {jax.__version__}, {sizes}")
    traces = ({name: pair[side] for name, pair in pairs.items()} for side in (0, 1))
    passed = report(*traces, TOLERANCE)
    errors, name = farthest_deviation(authors, widths)
    print(f"standard deviations of initial weights: {errors:.1f} standard errors apart, {name}")
    return int(not (passed and errors <= STANDARD_ERRORS))


if __name__ == "__main__":
    sys.exit(main())
