"""`gan-jax sample`: what it draws, writes and refuses."""

import shutil

import numpy as np
import pytest
from PIL import Image

from gan_jax import runs
from gan_jax.common import memory
from gan_jax.data import images
from gan_jax.data.sources.base import _load
from gan_jax.evaluation.rows import read_rows
from gan_jax.runs import RunDirectory
from gan_jax.sampling import samples
from tests.command_line import gan_jax


def size_of(path):
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size


def test_the_same_key_and_count_give_the_same_bytes(capsys, run, tmp_path):
    def sampled(name, *arguments):
        out = tmp_path / name
        code, _, err = gan_jax(capsys, "sample", run, "--out", out, *arguments)
        assert code == 0, err
        return out.read_bytes()

    first = sampled("a.png", "--count", 9)
    assert first == sampled("b.png", "--count", 9)
    assert first != sampled("c.png", "--count", 9, "--key", 1)
    assert first != sampled("d.png", "--count", 9, "--raw")
    assert size_of(tmp_path / "a.png") == (3 * 8 + 2 * 2, 3 * 8 + 2 * 2)


def test_npz_holds_samples_and_the_latents_that_made_them(capsys, run, tmp_path):
    out = tmp_path / "x.npz"
    assert gan_jax(capsys, "sample", run, "--count", 5, "--out", out)[0] == 0
    with np.load(out) as saved:
        drawn, latents = saved["samples"], saved["latents"]
    opened = runs.load(run)
    again = samples.from_latents(opened.experiment, opened.state, latents)
    np.testing.assert_array_equal(drawn, again)


def test_an_earlier_checkpoint_is_sampled_where_asked_for(capsys, run, tmp_path):
    code, out, _ = gan_jax(capsys, "sample", run, "--step", 5, "--out", tmp_path / "x.npz")
    assert code == 0
    assert "samples of step 5 in" in out
    opened = runs.load(run, 5)
    expected = samples.draw(opened.experiment, opened.state, 16)
    with np.load(tmp_path / "x.npz") as file:
        np.testing.assert_array_equal(file["samples"], expected)


def test_npz_holds_what_the_data_store_and_evaluate_reads_it(capsys, run, tmp_path):
    drawn, stored = tmp_path / "drawn.npz", tmp_path / "stored.npz"
    for path, options in ((drawn, ()), (stored, ("--as-stored",))):
        assert gan_jax(capsys, "sample", run, "--count", 40, "--out", path, *options)[0] == 0
    with np.load(drawn) as samples_file, np.load(stored) as stored_file:
        assert set(stored_file) == {"arr_0"}
        expected = images.mnist_sample(size=8).to_stored(samples_file["samples"])
        np.testing.assert_array_equal(stored_file["arr_0"], expected)
    record = tmp_path / "scores.jsonl"
    words = ("--features", "tests.tiny_features:blocks", "--out", record)
    code, _, err = gan_jax(capsys, "evaluate", "--data", stored, drawn, *words)
    assert code == 0, err
    distances = [row["value"] for row in read_rows(record) if row["metric"] == "frechet_distance"]
    assert distances == [pytest.approx(0, abs=1e-6)]


def test_gif_shows_pages_of_samples_that_turn_into_one_another(capsys, run, tmp_path):
    words = ("--count", 4, "--frames", 6, "--keys", "3,8,13", "--out", tmp_path / "walk.gif")
    code, out, err = gan_jax(capsys, "sample", run, *words)
    assert code == 0 and out.startswith("6 pages of 4 samples of step 12 in "), err
    page = tmp_path / "8.png"
    assert gan_jax(capsys, "sample", run, "--count", 4, "--key", 8, "--out", page)[0] == 0
    with Image.open(tmp_path / "walk.gif") as animation, Image.open(page) as expected:
        assert animation.n_frames == 6
        animation.seek(2)
        np.testing.assert_array_equal(np.asarray(animation.convert("L")), np.asarray(expected))


def test_a_film_shows_the_pages_of_training(capsys, run, tmp_path):
    code, out, _ = gan_jax(capsys, "sample", run, "--film", "--out", tmp_path / "film.gif")
    pages = len(RunDirectory(run).step_pictures())
    assert (code, out) == (0, f"{pages} pages in {tmp_path / 'film.gif'}\n")
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == pages
    code, _, err = gan_jax(capsys, "sample", run, "--film", "--count", 3)
    assert code == 2 and "--count: is for `gan-jax sample RUN`, not for" in err


def test_interpolations_have_a_row_for_each_path(capsys, run, tmp_path):
    out = tmp_path / "x.png"
    assert gan_jax(capsys, "sample", run, "--count", 3, "--interpolate", "--out", out)[0] == 0
    assert size_of(out) == (8 * 8 + 7 * 2, 3 * 8 + 2 * 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.jpg"], "must end in .png or .npz or .gif"),
        (["--out", "no/such/x.png"], "there is no folder no/such"),
        (["--count", "0"], "--count 0: must be at least 1"),
        (["--key", "-1"], "--key -1: must be from 0 to 4294967295"),
        (["--seed", "7"], "has seed 0"),
        (["--step", "best"], "no best checkpoint"),
        (["--step", "7"], "there are 5, 10, 12"),
        (["--step", "last"], "--step last: give a step, best or latest"),
        (["--count", "three"], "three"),
        (["--keys", "3,8"], "--keys 3,8: is for animations"),
        (["--frames", "9"], "--frames 9: is for animations"),
        (["--out", "x.gif", "--keys", "3"], "--keys 3: give two or more, 3,8,13 for example"),
        (["--out", "x.gif", "--keys", "3,x"], "--keys 3,x: give two or more"),
        (["--out", "x.gif", "--keys", "3,4294967296"], "--keys 4294967296: must be from 0 to"),
        (["--out", "x.gif", "--frames", "2"], "--frames 2: must be at least 3"),
        (["--out", "x.gif", "--interpolate"], "--interpolate makes a page"),
        (["--out", "x.gif", "--truncation", "1"], "leave --truncation out"),
        (["--as-stored"], "--as-stored: is for .npz files, not for --out samples.png"),
        (["--data-labels"], "--data-labels: the run was trained without labels"),
        (["--data-labels", "--label", "3"], "--data-labels and --label: give one of the two"),
    ],
)
def test_wrong_sampling_is_refused(capsys, run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = gan_jax(capsys, "sample", run, *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "holds the seeds 0, 3: choose one with --seed"),
        (["--seed", "1"], "--seed 1: RUN has seed 0, 3"),
    ],
)
def test_of_several_seeds_one_is_chosen(
    capsys, seeds_run, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = gan_jax(capsys, "sample", seeds_run, *arguments)
    assert code == 2
    assert message.replace("RUN", str(seeds_run)) in err
    assert list(tmp_path.iterdir()) == []


def test_truncated_samples_are_other_samples(capsys, run, tmp_path):
    for name, options in (("whole", ()), ("cut", ("--truncation", "0.5"))):
        out = tmp_path / f"{name}.npz"
        assert gan_jax(capsys, "sample", run, "--out", out, *options)[0] == 0
    with np.load(tmp_path / "cut.npz") as cut, np.load(tmp_path / "whole.npz") as whole:
        assert np.abs(cut["latents"]).max() <= 0.5 < np.abs(whole["latents"]).max()
        assert not np.array_equal(cut["samples"], whole["samples"])
        assert "labels" not in cut


@pytest.mark.slow
def test_classes_of_a_folder_are_sampled_by_their_names_without_the_folder(capsys, tmp_path):
    experiment = tmp_path / "pets_experiment.py"
    experiment.write_text(
        "from gan_jax.data import images\n"
        "from gan_jax.networks import conditions\n"
        "from tests.tiny import tiny\n"
        "base = tiny()\n"
        "experiment = tiny(\n"
        "    data=images.folder('pets', 8, 1, labels=True),\n"
        "    generator=conditions.Generator(base.generator, classes=2),\n"
        "    discriminator=conditions.Discriminator(base.discriminator, classes=2),\n"
        ")\n"
    )
    for name, suffix in (("cat", "png"), ("dog", "webp")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            picture = Image.new("L", (8, 8), 20 * number)
            picture.save(tmp_path / "pets" / name / f"{number}.{suffix}")
    run, folder = tmp_path / "run", tmp_path / "pets"
    code, _, err = gan_jax(
        capsys, "train", experiment, "--workdir", run, "--data.source.path", folder
    )
    assert code == 0 and err.count("data: 20 examples of 2 classes: cat, dog") == 1
    shutil.rmtree(folder)
    for label in ("dog", "1"):
        words = ("--label", label, "--out", tmp_path / f"{label}.npz")
        code, out, err = gan_jax(capsys, "sample", run, *words)
        assert code == 0, err
        assert "samples of step 12, class dog, in" in out
    assert (tmp_path / "dog.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    _load.cache_clear()
    code, _, err = gan_jax(capsys, "sample", run, "--count", 4, "--out", tmp_path / "turns.npz")
    assert code == 0, err
    with np.load(tmp_path / "turns.npz") as turns:
        assert turns["labels"].tolist() == [0, 1, 0, 1]
    code, _, err = gan_jax(capsys, "sample", run, "--label", "dgo")
    assert code == 2 and "label dgo: the run has the classes 0 to 1: cat, dog; did you" in err


@pytest.mark.parametrize(
    "options, message",
    [
        (("--label", "3"), "label 3: the run was trained without labels"),
        (("--truncation", "-1"), "truncation = -1.0: must be a number above 0"),
        (("--truncation", "1", "--interpolate"), "leave --truncation out"),
    ],
)
def test_options_of_sampling_that_mean_nothing_are_refused(capsys, run, tmp_path, options, message):
    out = tmp_path / "samples.png"
    code, _, said = gan_jax(capsys, "sample", run, "--out", out, *options)
    assert code == 2 and message in said
    assert not out.exists()


def test_a_folder_has_an_image_for_each_sample_and_all_are_scored(capsys, run, tmp_path):
    out = tmp_path / "drawn"
    assert gan_jax(capsys, "sample", run, "--count", 5, "--out", out)[0] == 0
    names = [str(out / f"{number:06}.png") for number in range(5)]
    assert sorted(map(str, out.iterdir())) == names
    code, printed, _ = gan_jax(capsys, "score", run, out)
    assert code == 0
    assert [line.split()[1] for line in printed.splitlines()] == names
    code, _, err = gan_jax(capsys, "sample", run, "--out", out)
    assert code == 2 and "is a folder with files in it" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", 10**12], "--count 1000000000000: at most 2,147,483,647 samples can be drawn"),
        (["--count", 200], "--count 200: drawing so many samples needs at least 100 KiB, and"),
        (["--count", 25, "--interpolate"], "--count 25: drawing so many samples needs at least"),
    ],
)
def test_more_samples_than_memory_holds_are_refused(
    capsys, run, tmp_path, monkeypatch, words, message
):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 10**5)
    code, out, err = gan_jax(capsys, "sample", run, *words, "--out", tmp_path / "x.png")
    assert (code, out) == (2, "") and err.startswith(f"error: {message}")
    assert not list(tmp_path.iterdir())


def test_more_samples_than_the_disk_holds_are_refused(capsys, run, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    code, _, err = gan_jax(capsys, "sample", run, "--count", 4, "--out", tmp_path / "x.npz")
    assert code == 2
    assert "x.npz: a file of 4 samples needs at least 1.06 KiB, and the room on the disk is" in err
    assert gan_jax(capsys, "sample", run, "--count", 3, "--out", tmp_path / "x.npz")[0] == 0
