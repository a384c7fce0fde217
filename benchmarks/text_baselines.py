"""What maximum likelihood reaches: models beside which a GAN for text has to stand.

    python benchmarks/text_baselines.py input.txt

A model of order k draws each character by how often the training part has it after the k characters
before, to the power of 1 / temperature. It begins with k characters from a random place, which do
not belong to the sample. Every context that it comes to stands in the training part, so nothing is
smoothed.

The network is a gated recurrent unit (Cho et al., 2014, first version) that learns to predict each
character of a window from those before it, with fewer parameters than the generator of
experiments/shakespeare_wgan_gp.py, whose data these are. Scores are those of `gan-jax evaluate`;
the last rows are of training and held-out text.
"""

import csv
import functools
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from gan_jax.data import text
from gan_jax.evaluation.feature_sets import gather
from gan_jax.evaluation.measure import Sides, measure
from gan_jax.evaluation.references import reference
from gan_jax.metrics import bleu
from gan_jax.metrics.names import NGRAM_DIVERGENCES, OF_TEXT_HELD_OUT
from gan_jax.runs import load
from gan_jax.sampling import draw as draw_samples

ORDERS, TEMPERATURES = (0, 1, 2, 3, 4, 5, 6), (0.5, 0.7, 0.85, 1.0, 1.2)
VOCABULARY, LENGTH = 66, 32
SHOWN = (
    *NGRAM_DIVERGENCES,
    "known_words",
    "bleu",
    "self_bleu",
    "distinct_ngrams",
    "longest_copy",
    "copied_whole",
)
START = VOCABULARY  # the token before the first of a window


class Model:
    """Characters counted after each context of `order` characters, as tokens."""

    def __init__(self, tokens: np.ndarray, order: int, temperature: float):
        self.tokens, self.order = tokens, order
        followers = defaultdict(Counter)
        as_text = tokens.tobytes()
        for start in range(len(as_text) - order):
            followers[as_text[start : start + order]][as_text[start + order]] += 1
        self.choices = {}
        for context, counts in followers.items():
            powers = np.array(list(counts.values()), float) ** (1 / temperature)
            self.choices[context] = (list(counts), np.cumsum(powers / powers.sum()))

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Returns windows of tokens, [count, LENGTH]."""
        # A context at the very end of the text may have nothing after it.
        starts = random.integers(len(self.tokens) - self.order - LENGTH, size=count)
        windows = np.empty((count, LENGTH), self.tokens.dtype)
        for window, start in zip(windows, starts, strict=True):
            context = self.tokens[start : start + self.order].tobytes()
            for place, chance in enumerate(random.random(LENGTH)):
                if context not in self.choices:
                    context = self.tokens[: self.order].tobytes()
                tokens, sums = self.choices[context]
                window[place] = tokens[min(np.searchsorted(sums, chance), len(tokens) - 1)]
                context = (context + window[place : place + 1].tobytes())[-self.order :]
                context = context if self.order else b""
        return windows


class Network(nn.Module):
    """Predicts each token of a window from those before it; START comes before the first."""

    width: int = 256

    def setup(self):
        self.embed = nn.Embed(VOCABULARY + 1, 64)
        self.cell = nn.GRUCell(self.width)
        self.logits = nn.Dense(VOCABULARY)

    def __call__(self, carry, token):
        carry, hidden = self.cell(carry, self.embed(token))
        return carry, self.logits(hidden)


def train(windows: np.ndarray, steps: int, batch: int = 128) -> dict:
    """Returns the parameters of a network that was trained by maximum likelihood."""
    network = Network()
    blank = jnp.zeros((batch, network.width))
    params = network.init(jax.random.key(0), blank, jnp.zeros(batch, int))
    optimizer = optax.adam(optax.cosine_decay_schedule(4e-3, steps))

    def loss(params, tokens):
        before = jnp.concatenate([jnp.full((1, batch), START), tokens.T[:-1]])
        logits = jax.lax.scan(lambda carry, x: network.apply(params, carry, x), blank, before)[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, tokens.T).mean()

    @jax.jit
    def update(params, state, tokens):
        value, gradient = jax.value_and_grad(loss)(params, tokens)
        change, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, change), state, value

    random, state, values = np.random.default_rng(0), optimizer.init(params), []
    for _ in range(steps):
        chosen = random.integers(len(windows), size=batch)
        params, state, value = update(params, state, jnp.asarray(windows[chosen], jnp.int32))
        values.append(value)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    bits = float(np.mean(values[-100:])) / np.log(2)
    print(f"<!-- network: {count:,} parameters, {bits:.3f} bits a character in training -->")
    return params


@functools.partial(jax.jit, static_argnames="count")
def draw(params: dict, key: jax.Array, count: int, temperature: float) -> jax.Array:
    """Draws windows of tokens from a trained network, [count, LENGTH]."""
    network = Network()

    def step(carry, key):
        hidden, token = carry
        hidden, logits = network.apply(params, hidden, token)
        token = jax.random.categorical(key, logits / temperature)
        return (hidden, token), token

    start = (jnp.zeros((count, network.width)), jnp.full(count, START))
    return jax.lax.scan(step, start, jax.random.split(key, LENGTH))[1].T


def main(
    file: Path,
    /,
    *,
    runs: tuple[Path, ...] = (),
    samples: int = 2000,
    steps: int = 4000,
    out: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Prints a table, and writes it to a file or draws it.

    Args:
        file: the text.
        runs: directories of trained runs on the same text, for rows of their own; those in one
            folder, such as the seeds of a run, are a family.
        samples: windows from each model.
        steps: of training the network.
        out: .csv file for the table.
        plot: .png file for a plot of quality and diversity.
    """
    if not bleu.installed():
        sys.exit("this needs sacrebleu: pip install 'gan_jax[text]'")
    data = text.characters(file, VOCABULARY, LENGTH)
    loaded = [load(path) for path in runs]
    for path, run in zip(runs, loaded, strict=True):
        if run.experiment.data.fingerprint() != data.fingerprint():
            sys.exit(f"--runs {path}: was not trained on windows of {LENGTH} of {file}")
    random = np.random.default_rng(0)
    network = data.features()
    training, held_out = (reference(of.load().sample, network) for of in (data, data.held_out()))
    rows: list[dict[str, str | float]] = []

    def show(family: str, member: str, windows: np.ndarray, metrics: Sequence = SHOWN) -> None:
        sides = Sides(gather([network.extract(windows)]), training, held_out)
        values = {key: found.estimate.value for key, found in measure(sides, metrics).items()}
        rows.append({"family": family, "member": member} | values)
        cells = (f"{values[metric]:.3g}" if metric in values else "" for metric in SHOWN)
        print(f"| {family} | {member} | {' | '.join(cells)} |", flush=True)

    print(f"| model | | {' | '.join(SHOWN)} |\n|{'---|' * (len(SHOWN) + 2)}")
    tokens = data.load().sample[:: LENGTH // data.stride].ravel()
    for order in ORDERS:
        for temperature in TEMPERATURES:
            drawn = Model(tokens, order, temperature).draw(random, samples)
            show(f"order {order}", f"temperature {temperature:g}", drawn)
    params = train(data.load().sample, steps)
    for temperature in TEMPERATURES:
        drawn = draw(params, jax.random.key(1), samples, temperature)
        show("network", f"temperature {temperature:g}", np.asarray(drawn, tokens.dtype))
    for path, run in zip(runs, loaded, strict=True):
        drawn = data.to_stored(draw_samples(run.experiment, run.state, samples))
        show(path.parent.name, path.name, drawn)
    # As samples are: windows that do not overlap, and held-out ones are not put beside themselves.
    show("text", "training", random.permutation(tokens.reshape(-1, LENGTH))[:samples])
    alone = [metric for metric in SHOWN if metric not in OF_TEXT_HELD_OUT]
    show("text", "held out", held_out.first(samples).tokens, alone)
    if out:
        with out.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, ["family", "member", *SHOWN], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if plot:
        draw_plot(rows, {path.parent.name for path in runs}, plot)


def draw_plot(rows: list[dict[str, str | float]], runs: set[str], path: Path) -> None:
    """Draws each family of models as a line over its temperatures, and each run as a point."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5))
    drawn = [row for row in rows if "bleu" in row and row["family"] != "order 0"]
    for family in dict.fromkeys(row["family"] for row in drawn):
        members = [row for row in drawn if row["family"] == family]
        points = [[row[metric] for row in members] for metric in ("self_bleu", "bleu")]
        line = "none" if family in runs else "-"
        axes.plot(*points, marker="o", markersize=4, linestyle=line, label=family)
    axes.set_xlabel("self-BLEU-5: lower is more diverse")
    axes.set_ylabel("BLEU-5 beside held-out text: higher is better")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    tyro.cli(main)
