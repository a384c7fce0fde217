import json
import math
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import features, runs
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.data.grids import to_pixels
from gan_jax.data.named import COLOURS
from gan_jax.data.sources.arrays import Arrays, MnistSample
from gan_jax.evaluation import references, rows
from gan_jax.evaluation.of_runs import evaluate_data, evaluate_runs
from gan_jax.evaluation.rows import read_rows
from gan_jax.metrics import frechet
from gan_jax.metrics.names import METRICS, OF_ONE_KIND
from gan_jax.runs import checkpoints
from gan_jax.sampling import samples
from gan_jax.training.train import train
from tests.tiny import tiny
from tests.tiny_features import blocks, no_classes

NETWORK = features.function(blocks)
DATA = images.mnist_sample(size=8)
COUNT = 60


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    """A cache folder of these tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references.platformdirs, "user_cache_path", lambda name: folder / name)
        yield


def trained(workdir, seed):
    train(tiny(data=DATA, features=NETWORK, ema_decay=0.5, seed=seed), workdir)
    return workdir


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Two finished runs that differ in the seed."""
    folder = tmp_path_factory.mktemp("evaluate")
    return [trained(folder / f"seed_{seed}", seed) for seed in (0, 1)]


@pytest.fixture
def run(originals, tmp_path):
    """A copy of a finished run, to write to."""
    return shutil.copytree(originals[0], tmp_path / "run")


@pytest.fixture
def other(originals, tmp_path):
    """Likewise, with another seed."""
    return shutil.copytree(originals[1], tmp_path / "other")


def evaluated(*paths, **arguments):
    said = []
    found = evaluate_runs(paths, COUNT, announce=said.append, **arguments)
    return found, " ".join(said)


def change_record(path, **changes):
    record = json.loads((path / "config.json").read_text())
    record["experiment"] |= changes
    (path / "config.json").write_text(json.dumps(record))


def test_what_cannot_be_written_is_measured_nevertheless(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rows, "write_atomically", full)
        found, _ = evaluated(run)
    assert len(found.rows) > 10
    assert found.unrecorded == (
        f"not recorded in {run / 'evaluation.jsonl'}: [Errno 28] No space left on device",
    )
    assert not (run / "evaluation.jsonl").exists()


def test_rows_of_runs_with_the_same_seed_fit_in_one_file(run, tmp_path):
    copy, out = shutil.copytree(run, tmp_path / "copy"), tmp_path / "scores.jsonl"
    for path in (run, copy, copy):
        evaluated(path, out=out)
    assert {row["run"] for row in read_rows(out)} == {str(run), str(copy)}
    assert len(read_rows(out)) == 2 * len([r for r in read_rows(out) if r["run"] == str(run)])
    assert not (run / "evaluation.jsonl").exists()


def test_rows_name_what_the_values_hold_for_and_go_to_the_run(run):
    found, said = evaluated(run)
    assert read_rows(run / "evaluation.jsonl") == list(found.rows)
    wanted = set(METRICS) - {"intended_accuracy", *OF_ONE_KIND}
    measured = {(row["parameters"], row["metric"]) for row in found.rows}
    of_real = {("real", name) for name in wanted - {"score_ratio", "memorisation"}}
    assert measured == {(of, name) for of in ("ema", "raw") for name in wanted} | of_real
    same = {"step": 12, "seed": 0, "key": 0, "drawn": COUNT, "samples": COUNT, "split": "train"}
    same |= {"features": NETWORK.name, "features_sha256": NETWORK.sha256()}
    for row in found.rows:
        assert same.items() <= row.items()
        depends = row["parameters"] == "real" or row["metric"] in ("score_ratio", "memorisation")
        assert row.get("held_out") == (DATA.held_out().fingerprint() if depends else None)
        ends = [math.inf if row[end] is None else row[end] for end in ("low", "value", "high")]
        assert ends == sorted(ends)
    assert said == ""


@pytest.mark.parametrize(("parameters", "raw"), [("ema", False), ("raw", True)])
def test_values_are_those_of_the_samples_that_anyone_may_draw(run, parameters, raw):
    found, _ = evaluated(run, key=3)
    opened = runs.load(run)
    drawn = to_pixels(samples.draw(opened.experiment, opened.state, COUNT, key=3, raw=raw))
    real = frechet.moments([blocks(DATA.load().sample)[0]])
    (value,) = [
        row["value"]
        for row in found.rows
        if (row["parameters"], row["metric"]) == (parameters, "frechet_distance")
    ]
    assert value == pytest.approx(frechet.estimate(blocks(drawn)[0], real).value, rel=1e-6)


def test_evaluating_again_gives_the_same_values_and_replaces_the_rows(run):
    first, _ = evaluated(run)
    content = (run / "evaluation.jsonl").read_bytes()
    assert evaluated(run)[0] == first
    assert (run / "evaluation.jsonl").read_bytes() == content


def test_another_key_has_other_values_and_rows_of_its_own(run):
    first, second = evaluated(run)[0].rows, evaluated(run, key=1)[0].rows
    assert first[0]["value"] != second[0]["value"]
    assert read_rows(run / "evaluation.jsonl") == [*first, *second]


def test_an_earlier_checkpoint_is_measured_where_asked_for(run):
    found, _ = evaluated(run, step=5)
    assert {row["step"] for row in found.rows} == {5}


def test_what_the_features_do_not_allow_is_left_out_and_said(run):
    found, said = evaluated(run, network=features.function(no_classes))
    classifying = {"classifier_score", "score_ratio", "mode_count", "class_divergence"}
    assert not classifying & {row["metric"] for row in found.rows}
    assert all(name in said for name in classifying)


def test_a_floor_of_fewer_examples_is_said(run, tmp_path, monkeypatch):
    np.savez(tmp_path / "few.npz", images=DATA.load().sample[:20, ..., 0])
    few = Arrays(str(tmp_path / "few.npz"))
    monkeypatch.setattr(MnistSample, "held_out", lambda self: few)
    found, said = evaluated(run)
    assert {row["samples"] for row in found.rows if row["parameters"] == "real"} == {20}
    assert "only 20 held-out examples: as a floor" in said
    assert "--samples 20 compares equally many" in said


def test_runs_that_differ_in_the_seed_are_measured_together(run, other):
    together, _ = evaluated(run, other)
    assert {row["seed"] for row in together.rows} == {0, 1}
    for path, seed in ((run, 0), (other, 1)):
        of_seed = [row for row in together.rows if row["seed"] == seed]
        assert read_rows(path / "evaluation.jsonl") == of_seed
        assert list(evaluated(path)[0].rows) == of_seed


def test_runs_that_differ_in_more_than_the_seed_are_refused(run, other):
    change_record(other, batch_size=8)
    with pytest.raises(RequestError, match=r"more than the seed.*\n.*batch_size: 16 -> 8"):
        evaluated(run, other)
    assert not (run / "evaluation.jsonl").exists()


def test_the_same_seed_twice_is_refused(run):
    with pytest.raises(RequestError, match="a seed of its own"):
        evaluated(run, run)


def test_runs_at_different_steps_are_refused_until_one_is_named(run, other):
    shutil.rmtree(other / "checkpoints" / "12")
    with pytest.raises(RequestError, match=r"at step 12, .* at step 10: give a step"):
        evaluated(run, other)
    assert {row["step"] for row in evaluated(run, other, step=10)[0].rows} == {10}


def test_samples_that_are_not_finite_are_refused_as_diverged(run):
    state = runs.load(run).state
    ema = jax.tree.map(lambda leaf: leaf * jnp.nan, state.ema)
    wild = state.replace(step=state.step + 1, ema=ema)
    with checkpoints.Checkpointer(run / "checkpoints", 3) as saver:
        saver.save(13, wild)
    with pytest.raises(RequestError, match="step 13 are not finite: the run has diverged"):
        evaluated(run)
    assert not (run / "evaluation.jsonl").exists()


@pytest.mark.parametrize(
    ("step", "message"), [("best", "no best checkpoint"), (7, "there are 5, 10, 12")]
)
def test_a_checkpoint_that_is_not_there_is_refused(run, step, message):
    with pytest.raises(RequestError, match=message):
        evaluated(run, step=step)


def test_data_that_have_changed_since_training_are_refused(run):
    record = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(record | {"data": "3 images, checksum 0"}))
    with pytest.raises(RequestError, match="have changed since training: 3 images"):
        evaluated(run)


def of_data(first, second):
    rows = evaluate_data(str(first), str(second), 8, 1, NETWORK).rows
    return {row["metric"]: row["value"] for row in rows}


@pytest.fixture
def digits(tmp_path):
    """A file of 300 digits."""
    np.savez(tmp_path / "digits.npz", images=DATA.load().sample[:300])
    return tmp_path / "digits.npz"


def test_a_set_does_not_differ_from_itself(digits):
    values = of_data(digits, digits)
    assert values["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert values["class_divergence"] == pytest.approx(0, abs=1e-6)
    assert values["precision"] == values["recall"] == values["coverage"] == 1
    assert "memorisation" not in values


def test_drawn_samples_count_as_the_images_that_they_round_to(digits, tmp_path):
    with np.load(digits) as file:
        pixels = file["images"]
    drawn = pixels.astype(np.float32) / 127.5 - 1
    np.savez(tmp_path / "drawn.npz", samples=drawn, latents=np.zeros((300, 4)))
    assert of_data(tmp_path / "drawn.npz", digits) == of_data(digits, digits)


def test_what_too_few_images_do_not_allow_is_left_out_and_said(digits, tmp_path):
    np.savez(tmp_path / "few.npz", images=DATA.load().sample[:25])
    said = []
    evaluate_data(str(tmp_path / "few.npz"), str(digits), 8, 1, NETWORK, said.append)
    assert said == ["left out: density, coverage: needs at least 30 samples and 30 real examples"]


@pytest.mark.parametrize("asked", [(None, None), (8, 1), (8, 3)])
def test_size_and_channels_are_said_and_recorded(digits, asked):
    evaluation = evaluate_data(str(digits), str(digits), *asked, NETWORK)
    channels = asked[1] or 1
    assert {(row["size"], row["channels"]) for row in evaluation.rows} == {(8, channels)}
    assert f"images of 8 x 8 pixels, in {COLOURS[channels]}" in evaluation.facts
