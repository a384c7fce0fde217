"""A kind of data that the package does not know: the contract of data sets is all it needs.

Short texts of five letters: token ids as stored, one-hot vectors as samples.
"""

import dataclasses
import json
from contextlib import contextmanager

import flax.linen as nn
import jax
import numpy as np
import pytest

from gan_jax import features, runs, sampling
from gan_jax.common.errors import RequestError
from gan_jax.data import grids
from gan_jax.data.dataset import Files, Stored, check_path
from gan_jax.data.order import batch_indices
from gan_jax.data.sources.base import Examples
from gan_jax.evaluation import references
from gan_jax.evaluation.evaluator import Evaluator
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.experiment import Experiment
from gan_jax.runs import serialisation
from gan_jax.training.dry_run import describe
from gan_jax.training.loop import Outcome
from gan_jax.training.train import train
from tests.states import assert_same_bits

LENGTH, LETTERS = 8, "abcde"


@dataclasses.dataclass(frozen=True)
class Text:
    """Texts in which each letter is followed by itself or the next."""

    number: int = 60
    seed: int = 0

    labels = False
    classes = 0
    class_names = ()
    split = "all"
    sample_shape = (LENGTH, len(LETTERS))
    stored = Stored((LENGTH,), "uint8")
    samples_per_page = 6
    suffixes = (".png", ".txt")
    final_suffixes = (".txt",)

    @property
    def count(self):
        return self.number

    def load(self):
        random = np.random.default_rng(self.seed)
        steps = random.integers(0, 2, (self.number, LENGTH)).cumsum(axis=1)
        return Examples((steps % len(LETTERS)).astype(np.uint8), None, ())

    def fingerprint(self):
        return f"{self.number} texts of seed {self.seed}"

    def fitted(self):
        return None

    def held_out(self):
        return dataclasses.replace(self, seed=self.seed + 1)

    def features(self):
        return None

    def indices(self, seed, step, batch_size):
        return batch_indices(self.number, seed, step, batch_size)

    def gather(self, indices):
        return {"sample": self.load().sample[indices], "label": None}

    def prepare(self, raw):
        one_hot = raw["sample"][..., None] == np.arange(len(LETTERS))
        return {"sample": one_hot.astype("float32"), "condition": None}

    def to_stored(self, samples):
        return samples.argmax(-1).astype(np.uint8)

    def page(self, samples, columns=None):
        shades = (self.to_stored(samples) * 50)[:, None, :, None]
        return grids.grid(shades, 1)

    def cells(self, page, columns):
        return page[None]

    def write(self, parts, path, columns=None, class_names=None):
        check_path(path, self.suffixes)
        samples = np.concatenate(list(parts))
        if path.suffix == ".png":
            grids.save_png(self.page(samples), path)
        else:
            path.write_text("\n".join(self.texts(self.to_stored(samples))))

    def read(self, paths):
        lines = [(path, line) for path in paths for line in path.read_text().splitlines()]
        tokens = np.array([[LETTERS.index(letter) for letter in line] for _, line in lines])
        samples = self.prepare({"sample": tokens, "label": None})["sample"]
        return Files(tuple(f"{path}: {line}" for path, line in lines), samples)

    @staticmethod
    def texts(stored):
        return ["".join(LETTERS[token] for token in row) for row in stored]


class Generator(nn.Module):
    """A perceptron that gives each letter of each place a probability."""

    @nn.compact
    def __call__(self, latent, condition=None, *, training):
        hidden = nn.relu(nn.Dense(8)(latent))
        logits = nn.Dense(LENGTH * len(LETTERS))(hidden)
        return nn.softmax(logits.reshape(-1, LENGTH, len(LETTERS)))


class Discriminator(nn.Module):
    """A perceptron."""

    @nn.compact
    def __call__(self, sample, condition=None, *, training):
        hidden = nn.relu(nn.Dense(8)(sample.reshape(len(sample), -1)))
        return nn.Dense(1)(hidden)[:, 0]


def letters(tokens):
    """How often each letter occurs, and the first letter as the class."""
    assert tokens.dtype == np.uint8 and tokens.shape[1:] == (LENGTH,)
    one_hot = np.eye(len(LETTERS), dtype=np.float32)
    return one_hot[tokens].mean(1), one_hot[tokens[:, 0]]


EXPERIMENT = Experiment(
    generator=Generator(),
    discriminator=Discriminator(),
    data=Text(),
    features=features.function(letters),
    latent_size=4,
    batch_size=16,
    steps=6,
    log_every=2,
    sample_every=3,
    save_every=2,
    evaluate_every=6,
    evaluate_samples=40,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("text")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references.platformdirs, "user_cache_path", lambda name: folder / name)
        assert train(EXPERIMENT, folder / "run") is Outcome.FINISHED
        yield runs.load(folder / "run")


def test_it_is_described_before_training():
    assert "memory of a step" in describe(EXPERIMENT)
    assert serialisation.decode(serialisation.encode(EXPERIMENT), trusted=True) == EXPERIMENT


def test_it_stops_and_resumes_to_the_same_bits(run, tmp_path, monkeypatch):
    @contextmanager
    def at_once():
        yield lambda: True

    with monkeypatch.context() as patch:
        patch.setattr("gan_jax.training.train.stop_signals", at_once)
        assert train(EXPERIMENT, tmp_path / "run") is Outcome.STOPPED
    assert train(EXPERIMENT, tmp_path / "run") is Outcome.FINISHED
    assert_same_bits(runs.load(tmp_path / "run").state, run.state)


def test_its_pages_and_film_strip_are_drawn(run):
    data = EXPERIMENT.data
    drawn = sampling.draw(run.experiment, run.state, data.samples_per_page)
    last = grids.read_png(run.directory.step_picture(6))
    np.testing.assert_array_equal(last, data.page(drawn))
    np.testing.assert_array_equal(grids.read_png(run.directory.final_picture), last)
    lines = run.directory.final_picture.with_suffix(".txt").read_text().splitlines()
    assert lines == data.texts(data.to_stored(drawn))
    strip = grids.read_png(run.directory.film_strip)
    assert strip.shape[1] == 3 * LENGTH + 2 * grids.GAP
    np.testing.assert_array_equal(strip[: len(last), -LENGTH:], last)


def test_its_samples_are_written_and_read(run, tmp_path):
    latents = sampling.draw_latents(run.experiment, 3, 5)
    drawn = sampling.from_latents(run.experiment, run.state, latents)
    sampling.save(run.experiment, drawn, tmp_path / "x.npz", latents=latents)
    with np.load(tmp_path / "x.npz") as file:
        assert set(file) == {"samples", "latents"}
        np.testing.assert_array_equal(file["samples"], drawn)
        np.testing.assert_array_equal(file["latents"], latents)
    sampling.save(run.experiment, drawn, tmp_path / "x.txt")
    names, read = run.experiment.data.read([tmp_path / "x.txt"])
    np.testing.assert_array_equal(read.argmax(-1), drawn.argmax(-1))
    assert len(names) == 5
    probability = sampling.probability_real(run.experiment, run.state, read)
    assert ((probability > 0) & (probability < 1)).all()
    with pytest.raises(RequestError, match=r"must end in \.png or \.txt or \.npz or \.gif$"):
        sampling.save(run.experiment, drawn, tmp_path / "x.wav")


def test_it_is_evaluated_with_features_of_its_stored_form(run):
    found = evaluate_runs([run.directory.path], 40, announce=lambda _: None)
    values = {row["metric"]: row["value"] for row in found.rows if row["parameters"] == "raw"}
    drawn = sampling.draw(run.experiment, run.state, 40)
    _, first = letters(EXPERIMENT.data.to_stored(drawn))
    assert values["mode_count"] == len(set(first.argmax(1)))
    assert values["frechet_distance"] > 0
    assert {row["split"] for row in found.rows} == {"all"}
    assert run.directory.best.exists()


def test_it_is_diagnosed(run):
    lines = map(json.loads, run.directory.metrics.read_text().splitlines())
    (last,) = [line for line in lines if line["step"] == 6]
    drawn = sampling.draw(run.experiment, run.state, 256)[: EXPERIMENT.data.count]
    _, first = letters(EXPERIMENT.data.to_stored(drawn))
    fractions = [last[f"class_share_{number}"] for number in range(len(LETTERS))]
    assert fractions == pytest.approx(first.mean(0))
    assert "logit_held_out" in last and "distance_ratio" in last


def test_without_features_it_says_how_to_get_some():
    with pytest.raises(RequestError, match=r"features=features\.function\(f\)"):
        Evaluator.of(dataclasses.replace(EXPERIMENT, features=None))


def test_prepared_samples_are_the_same_in_numpy_and_compiled():
    data = EXPERIMENT.data
    raw = data.gather(np.arange(4))
    compiled = jax.jit(lambda sample: data.prepare({"sample": sample, "label": None})["sample"])
    prepared = data.prepare(raw)["sample"]
    np.testing.assert_array_equal(compiled(raw["sample"]), prepared)
    np.testing.assert_array_equal(data.to_stored(prepared), raw["sample"])
