"""`gan-jax features`: what it trains, writes and refuses."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import main
from tests.command_line import gan_jax


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mnist_sample", "--out", "x.pth"], "--out x.pth: must end in .npz"),
        (["mnist_sample", "--out", "no/such/x.npz"], "there is no folder no/such"),
        (["mnist_sample", "--out", "x.npz", "--epochs", "0"], "--epochs 0: must be at least 1"),
        (["mnist_sample", "--out", "x.npz", "--seed", "-1"], "--seed -1: must be from 0 to"),
        (["mnist_sample", "--out", "x.npz", "--size", "7"], "7 x 7 pixels: must be at least 8 x 8"),
        (["mnist_sample", "--out", "x.npz", "--channels", "2"], "invalid choice '2'"),
        (["mnist_sample"], "--out"),
        (["photos", "--out", "x.npz"], "photos/train"),
        (["flat", "--out", "x.npz"], "no labels (the images lie in the folder itself"),
        (["mixed", "--out", "x.npz"], "differ in size (mixed: 8 x 8 (1), 9 x 9 (1)): give --size"),
        (["ids.npz", "--out", "x.npz"], "30 examples have 30 different labels, from 20261128 to"),
        (["photos/arr.npy", "--out", "x.npz"], "is an .npy file: put it into an .npz file"),
        (["./nowhere", "--out", "x.npz"], "there is no folder"),
        (["Phtos", "--out", "x.npz"], "'Phtos' is not a data set: give mnist_sample, a folder"),
    ],
)
def test_features_of_wrong_data_are_refused(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("photos/train", "photos/test", "flat", "mixed"):
        (tmp_path / folder).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / folder / "1.png")
    Image.new("L", (9, 9)).save(tmp_path / "mixed" / "2.png")
    np.savez("ids.npz", images=np.zeros((30, 8, 8), np.uint8), labels=np.arange(30) + 20261128)
    np.save("photos/arr.npy", np.zeros((3, 8, 8), np.uint8))
    code, _, err = gan_jax(capsys, "features", *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "x.npz").exists()


def test_features_are_trained_and_say_how_good_they_are(capsys, tmp_path, monkeypatch):
    from gan_jax.data import images
    from gan_jax.features import named

    monkeypatch.chdir(tmp_path)
    examples = images.mnist_sample("test", size=8).load()
    np.savez("digits.npz", images=examples.sample[:300], labels=examples.label[:300])
    arguments = ("digits.npz", "--out", "made.npz", "--epochs", 1)
    code, out, err = gan_jax(capsys, "features", *arguments)
    assert code == 0, err
    made = named.from_text("made.npz").description
    assert (made.data, made.size, made.test_count, made.epochs) == ("digits.npz", 8, 30, 1)
    found = "data: 300 examples of 10 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; 8 x 8 pixels, in grey"
    assert found in err
    assert f"{made.test_accuracy:.2%} of 30 test examples right" in out


def test_an_interrupted_training_of_features_leaves_nothing(capsys, tmp_path, monkeypatch):
    from gan_jax.recognition import classifier_training

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier_training, "update", interrupted)
    out = tmp_path / "x.npz"
    code, _, err = gan_jax(capsys, "features", "mnist_sample", "--out", out, "--size", 11)
    assert code == main.INTERRUPTED
    assert "nothing was written" in err
    assert list(tmp_path.iterdir()) == []


def test_features_of_sound_are_trained_and_say_how_good_they_are(capsys, tmp_path, monkeypatch):
    import soundfile

    from gan_jax.features import named

    monkeypatch.chdir(tmp_path)
    (tmp_path / "tones").mkdir()
    time = np.arange(2048) / 8000
    for take in range(10):
        for label, frequency in (("low", 300), ("high", 2000)):
            wave = np.sin(2 * np.pi * (frequency + 10 * take) * time) * np.hanning(2048)
            soundfile.write(tmp_path / "tones" / f"{label}_{take}.wav", wave, 8000)
    arguments = [
        "--sound",
        "--pattern",
        "{label}_{take}",
        "--held-out",
        "take=0,1",
        "--length",
        2048,
    ]
    code, out, err = gan_jax(
        capsys, "features", "tones", *arguments, "--out", "made.npz", "--epochs", 40
    )
    assert code == 0, err
    assert "data: 16 examples of 2 classes: high, low; 0.26 s each" in err
    made = named.from_text("made.npz").description
    assert (made.data, made.test_count, made.sound.length) == ("tones", 4, 2048)
    assert made.test_accuracy == 1
    assert "100.00% of 4 test examples right (all held-out examples)" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "0"], "--rate 0: must be at least 1"),
        (["--length", "100"], "--length 100: must be at least 512"),
        (["--length", "1000"], "--length 1000: must be a multiple of 64"),
        (["--held-out", "take=1"], "pattern = None has no fields"),
        (["--size", "28"], "--size"),
    ],
)
def test_wrong_options_of_sound_are_refused(capsys, tmp_path, options, message):
    out = tmp_path / "x.npz"
    code, _, err = gan_jax(capsys, "features", tmp_path, "--sound", "--out", out, *options)
    assert code == 2
    assert message in err and "Traceback" not in err
    assert not out.exists()
