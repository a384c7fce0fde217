"""`gan-jax score`: what it prints of image files."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from gan_jax import losses, runs
from gan_jax.networks import conditions
from gan_jax.sampling import samples
from gan_jax.training.train import train
from tests.command_line import gan_jax
from tests.tiny import tiny


def test_score_prints_a_probability_for_each_image(capsys, run, tmp_path):
    opened = runs.load(run)
    pixels = opened.experiment.data.load().sample[:2]
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    code, out, said = gan_jax(capsys, "score", run, *paths)
    assert code == 0 and not said
    raw = {"sample": pixels, "label": None}
    images = opened.experiment.data.prepare(raw)["sample"]
    expected = samples.probability_real(opened.experiment, opened.state, images)
    lines = [line.split() for line in out.splitlines()]
    assert [float(line[0]) for line in lines] == pytest.approx(expected, abs=6e-5)
    assert [line[1] for line in lines] == [str(path) for path in paths]


def test_score_says_that_a_file_of_another_size_is_one_image(capsys, run, tmp_path):
    sizes = {"right.png": (8, 8), "grid.png": (24, 16), "tall.png": (8, 9)}
    for name, size in sizes.items():
        Image.new("L", size).save(tmp_path / name)
    code, out, said = gan_jax(capsys, "score", run, *[tmp_path / name for name in sizes])
    assert code == 0
    assert len(out.splitlines()) == 3
    words = "not 8 x 8 pixels, and scaled, each as one image: 2 of 3 files, "
    assert said.strip() == f"warning: {words}{tmp_path / 'grid.png'} the first"


def test_images_are_scored_as_those_of_a_class(capsys, tmp_path):
    base = tiny()
    experiment = tiny(
        data=dataclasses.replace(base.data, labels=True),
        generator=conditions.Generator(base.generator, classes=10),
        discriminator=conditions.Discriminator(base.discriminator, classes=10),
        steps=1,
    )
    train(experiment, tmp_path / "run")
    Image.fromarray(experiment.data.load().sample[0, ..., 0]).save(tmp_path / "a.png")
    words = ("score", tmp_path / "run", tmp_path / "a.png")
    code, _, err = gan_jax(capsys, *words)
    assert code == 2 and "trained with labels: give the class of the samples with" in err
    found = [gan_jax(capsys, *words, "--label", label)[1].split()[0] for label in (3, 4)]
    opened = runs.load(tmp_path / "run")
    samples_read = experiment.data.read([tmp_path / "a.png"]).samples
    for label, printed in zip((3, 4), found, strict=True):
        expected = samples.probability_real(
            opened.experiment, opened.state, samples_read, np.array([label], np.int32)
        )
        assert float(printed) == pytest.approx(expected[0], abs=6e-5)
    assert found[0] != found[1]


def test_score_says_where_logits_are_no_log_odds(capsys, tmp_path):
    experiment = tiny(loss=losses.Hinge(), steps=1)
    train(experiment, tmp_path / "run")
    Image.fromarray(experiment.data.load().sample[0, ..., 0]).save(tmp_path / "a.png")
    code, out, said = gan_jax(capsys, "score", tmp_path / "run", tmp_path / "a.png")
    assert code == 0 and out
    assert (
        "the loss is Hinge: the sigmoid of a logit ranks samples, but is not a probability" in said
    )


def test_score_names_a_file_that_is_no_image(capsys, run, tmp_path):
    (tmp_path / "x.png").write_text("no image")
    code, _, err = gan_jax(capsys, "score", run, tmp_path / "x.png")
    assert code == 2
    assert "x.png" in err


def test_a_seed_of_several_is_sampled_and_scored(capsys, seeds_run, tmp_path):
    out = tmp_path / "grid.png"
    assert gan_jax(capsys, "sample", seeds_run, "--seed", 3, "--out", out)[0] == 0
    code, printed, _ = gan_jax(capsys, "score", seeds_run, out, "--seed", 3)
    assert code == 0
    assert str(out) in printed


@pytest.mark.usefixtures("in_time")
def test_score_refuses_a_fifo_and_an_image_above_the_limit(capsys, run, tmp_path):
    os.mkfifo(tmp_path / "fifo.png")
    code, out, err = gan_jax(capsys, "score", run, tmp_path / "fifo.png")
    assert (code, out) == (2, "") and err.startswith("error: unreadable image ")
    assert err.endswith("fifo.png is a FIFO, not a regular file)")
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    code, _, err = gan_jax(capsys, "score", run, tmp_path / "a.png", "--most-pixels", 63)
    assert code == 2 and "8 x 8 pixels, more than most_pixels = 63" in err
    assert gan_jax(capsys, "score", run, tmp_path / "a.png", "--most-pixels", 64)[0] == 0
    code, _, err = gan_jax(capsys, "score", run, tmp_path / "a.png", "--most-pixels", 0)
    assert (code, err) == (2, "error: --most-pixels 0: must be at least 1")
