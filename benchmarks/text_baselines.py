"""What counting characters reaches: n-gram models beside which a GAN for text has to stand.

    python benchmarks/text_baselines.py ../shared/data/tiny_shakespeare/input.txt

A model of order k draws each character by how often the training part has it after the k characters
before, to the power of 1 / temperature. It begins with k characters from a random place, which do
not belong to the sample. Every context that it comes to stands in the training part, so nothing is
smoothed. Scores are those of `gan-jax evaluate`, of windows from the same data as in
experiments/shakespeare_wgan_gp.py; the last row is of windows from the training part.
"""

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from gan_jax.data import text
from gan_jax.metrics import ngrams

ORDERS, TEMPERATURES = (0, 1, 2, 3, 4, 5, 6), (0.5, 0.7, 0.85, 1.0, 1.2)
VOCABULARY, LENGTH, REAL = 66, 32, 10_000


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--samples", type=int, default=2000)
    given = parser.parse_args()
    data = text.characters(given.file, VOCABULARY, LENGTH)
    random = np.random.default_rng(0)
    training, apart = data.load().sample, data.held_out().load().sample
    real = apart[random.permutation(len(apart))[:REAL]]
    network = data.features()

    def show(name: str, windows: np.ndarray) -> None:
        found = [estimate.value for estimate in ngrams.divergences(windows, real)]
        known = ngrams.known_words(network.extract(windows).known_words)
        print(f"| {name} | {' | '.join(f'{value:.3f}' for value in found)} | {known.value:.1%} |")

    header = ["model", *(f"{order}-grams" for order in range(1, 7)), "known words"]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    tokens = np.concatenate([training[:: LENGTH // data.stride].ravel()])
    for order in ORDERS:
        for temperature in TEMPERATURES:
            drawn = Model(tokens, order, temperature).draw(random, given.samples)
            show(f"order {order}, temperature {temperature:g}", drawn)
    show("training text", training[random.permutation(len(training))[: given.samples]])


if __name__ == "__main__":
    main()
