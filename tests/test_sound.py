"""Runs on recordings, from training to files that one can listen to, in both forms."""

import dataclasses

import numpy as np
import pytest
import soundfile

from gan_jax import features, runs, sampling
from gan_jax.common.errors import RequestError
from gan_jax.data import audio
from gan_jax.evaluation.evaluator import Evaluator
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.networks import resnet, wavegan
from gan_jax.ops.spectrograms import Spectrogram
from gan_jax.optimizers import Adam
from gan_jax.penalties import GradientPenalty
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.command_line import gan_jax
from tests.states import assert_same_bits

LENGTH = 1024
DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three takes of each digit: tones of different frequencies."""
    folder, time = tmp_path_factory.mktemp("recordings"), np.arange(LENGTH) / 8000
    for digit in range(10):
        for take in range(3):
            wave = np.sin(2 * np.pi * (400 + 300 * digit + 20 * take) * time) * np.hanning(LENGTH)
            soundfile.write(folder / f"{digit}_{take}.wav", wave, 8000)
    names = {"pattern": "{label}_{take}", "held_out": "take=2"}
    return audio.folder(folder, length=LENGTH, labels=True, normalise=True, **names)


def experiment(recordings, form, **changes):
    wave = {
        "generator": wavegan.Generator(width=2, length=LENGTH, classes=10),
        "discriminator": wavegan.Discriminator(width=2, classes=10),
        "data": recordings,
        "loss": Wasserstein(),
        "penalties": (GradientPenalty(10.0),),
        "update_order": "alternating",
    }
    image = {
        "generator": resnet.Generator(2, image_size=32, image_channels=1, classes=10),
        "discriminator": resnet.Discriminator(2, classes=10),
        "data": audio.spectrogram(recordings, Spectrogram(64, 32)),
    }
    fields = {
        "latent_size": 4,
        "batch_size": 4,
        "steps": 4,
        "save_every": 2,
        "sample_every": 2,
        "log_every": 1,
        "evaluate_every": 4,
        "evaluate_samples": 20,
        "ema_decay": 0.9,
        "generator_optimizer": Adam(1e-3),
        "discriminator_optimizer": Adam(1e-3),
    }
    return Experiment(**(wave if form == "waveform" else image) | fields | changes)


@pytest.fixture(scope="module", params=["waveform", "spectrogram"])
def run(request, recordings, tmp_path_factory):
    workdir = tmp_path_factory.mktemp(request.param) / "run"
    assert train(experiment(recordings, request.param), workdir) is Outcome.FINISHED
    return runs.load(workdir)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["waveform", "spectrogram"])
def test_an_interrupted_run_ends_with_the_same_bits(recordings, form, tmp_path):
    for name, parts in (("whole", [4]), ("parts", [3, 4])):
        for steps in parts:
            tried = experiment(recordings, form, steps=steps, evaluate_every=None)
            train(tried, tmp_path / name)
    whole, parts = (runs.load(tmp_path / name).state for name in ("whole", "parts"))
    assert_same_bits(whole, parts)


@pytest.mark.slow
def test_its_record_describes_the_same_experiment(run):
    assert runs.load(run.directory.path).experiment == run.experiment
    assert run.class_names == tuple(DIGITS)


@pytest.mark.slow
def test_a_finished_run_has_a_page_with_players(run):
    page = run.directory.final_picture.with_suffix(".html").read_text(encoding="utf-8")
    count = run.experiment.data.samples_per_page
    assert page.count("<audio") == page.count("<img") == count
    assert page.count("_7</figcaption>") == count // 10 + (count % 10 > 7)
    assert run.directory.final_picture.is_file() and run.directory.film_strip.is_file()


@pytest.mark.slow
def test_its_samples_are_files_that_score_reads(run, capsys, tmp_path):
    out = tmp_path / "sevens.wav"
    words = ("sample", run.directory.path, "--count", 3, "--label", 7, "--out", out)
    code, _, err = gan_jax(capsys, *words)
    assert code == 0, err
    samples, rate = soundfile.read(out, dtype="int16")
    assert (len(samples), rate) == (3 * (LENGTH + 2000), 8000)
    folder = tmp_path / "drawn"
    code, _, err = gan_jax(capsys, "sample", run.directory.path, "--count", 12, "--out", folder)
    assert code == 0, err
    found = sorted(file.name for file in folder.iterdir())
    assert found == [f"{number:06}_{number % 10}.wav" for number in range(12)]
    drawn = sampling.draw(run.experiment, run.state, 12)
    stored = run.experiment.data.to_stored(drawn)
    for name, expected in zip(found, stored, strict=True):
        read, _ = soundfile.read(folder / name, dtype="int16")
        np.testing.assert_array_equal(read, expected[:, 0])
    code, printed, err = gan_jax(capsys, "score", run.directory.path, folder, "--label", 3)
    assert code == 0, err
    assert [line.split()[1] for line in printed.splitlines()] == [str(folder / n) for n in found]


@pytest.mark.slow
def test_it_is_scored_by_the_bundled_classifier(run):
    found = evaluate_runs([run.directory.path], 20)
    assert {row["features"] for row in found.rows} == {"spoken-digits-cnn"}
    metrics = {row["metric"] for row in found.rows}
    assert {"frechet_distance", "classifier_score", "intended_accuracy", "recall"} <= metrics


@pytest.mark.slow
@pytest.mark.parametrize("form", ["waveform", "spectrogram"])
def test_sound_is_sampled_without_the_recordings(recordings, form, monkeypatch, tmp_path, capsys):
    tried = experiment(recordings, form, steps=1, evaluate_every=None)
    train(tried, tmp_path / "run")
    monkeypatch.setattr(audio, "read", None)  # which would be called
    words = ("sample", tmp_path / "run", "--label", 7, "--out", tmp_path / "x.wav")
    code, _, err = gan_jax(capsys, *words)
    assert code == 0, err


def test_a_classifier_of_another_rate_is_refused(recordings):
    faster = dataclasses.replace(recordings, rate=16000)
    tried = experiment(faster, "waveform", features=features.spoken_digits())
    with pytest.raises(RequestError, match="trained at 8,000 Hz, and the data have 16,000 Hz"):
        Evaluator.of(tried)
