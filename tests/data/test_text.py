"""Windows of text: their order and parts, pages and files, and a run on them."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import gan, runs, sampling
from gan_jax.common import memory
from gan_jax.common.errors import RequestError
from gan_jax.data import grids, text
from gan_jax.data.sources import text_file
from gan_jax.evaluation.of_runs import evaluate_runs
from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.metrics import bleu
from gan_jax.networks import text as networks
from gan_jax.optimizers import Adam
from gan_jax.penalties import GradientPenalty
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.command_line import gan_jax
from tests.states import assert_same_bits

SENTENCES = "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate.\n"
LENGTH = 8


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "sonnet.txt"
    file.write_text(SENTENCES * 4, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def data(path):
    return text.characters(path, len(set(SENTENCES)) + 1, LENGTH, stride=3, held_out=0.25)


def tokens_of(data, line):
    """A window of a line's characters, one-hot."""
    stored = np.array([[data.symbols.index(character) for character in line]], np.uint8)
    return data.prepare({"sample": stored, "label": None})["sample"]


def test_windows_follow_the_text_and_no_two_parts_share_a_character(data):
    whole, cut = SENTENCES * 4, round(len(SENTENCES * 4) * 0.75)
    lines = data.lines(data.load().sample)
    assert lines == [whole[i : i + LENGTH] for i in range(0, cut - LENGTH + 1, 3)]
    apart = data.held_out()
    starts = range(cut, len(whole) - LENGTH + 1, LENGTH)
    assert apart.lines(apart.load().sample) == [whole[i : i + LENGTH] for i in starts]
    assert (data.split, apart.split, apart.held_out()) == ("train", "held-out", None)
    assert dataclasses.replace(data, held_out_fraction=0).held_out() is None


def test_samples_are_one_hot_and_come_back(data):
    batch = data.batch(0, 3, 5)
    assert batch["sample"].shape == (5, *data.sample_shape)
    assert (batch["sample"].sum(-1) == 1).all() and batch["condition"] is None
    stored = data.load().sample[data.indices(0, 3, 5)]
    assert (stored.shape[1:], stored.dtype) == data.stored
    np.testing.assert_array_equal(data.to_stored(batch["sample"]), stored)
    prepared = jax.jit(lambda sample: data.prepare({"sample": sample, "label": None})["sample"])
    np.testing.assert_array_equal(prepared(jnp.asarray(stored)), batch["sample"])


def test_the_fingerprint_is_of_the_text_and_its_symbols(data, path, tmp_path):
    same = tmp_path / "same.txt"
    same.write_bytes(path.read_bytes())
    assert dataclasses.replace(data, path=str(same)).fingerprint() == data.fingerprint()
    changes = {"length": 9, "stride": 4, "vocabulary": 9, "held_out_fraction": 0.5}
    found = {dataclasses.replace(data, **{name: of}).fingerprint() for name, of in changes.items()}
    assert len(found | {data.fingerprint(), data.held_out().fingerprint()}) == 6


def test_a_page_has_a_line_for_each_window(data):
    both = np.concatenate([tokens_of(data, "more and"), tokens_of(data, "e\nThou a")])
    page = data.page(both)
    assert page.shape == (
        2 * text.LINE + 2 * text.MARGIN,
        LENGTH * text.CHARACTER + 2 * text.MARGIN,
        1,
    )
    rows = page[text.MARGIN : -text.MARGIN].reshape(2, text.LINE, -1)
    assert all((row == 0).any() and row[-1].min() == 255 for row in rows)
    np.testing.assert_array_equal(data.page(both[:1])[: text.LINE], page[: text.LINE])
    np.testing.assert_array_equal(data.cells(page, 8), [page])


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_lines_of_files_come_back(tmp_path, data, suffix):
    lines = ["more and", "e\nThou a", "e and mo"]
    samples = np.concatenate([tokens_of(data, line) for line in lines])
    file = tmp_path / f"x{suffix}"
    data.write([samples[:2], samples[2:]], file)
    assert len(file.read_text().splitlines()) == 3
    names, read = data.read([file])
    assert names == tuple(f"{file}:{number}" for number in (1, 2, 3))
    np.testing.assert_array_equal(read, samples)
    first = file.read_text().splitlines()[1]
    assert first == ("e\\nThou a" if suffix == ".txt" else json.dumps({"text": lines[1]}))


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_backslashes_and_other_separators_come_back_too(tmp_path, suffix):
    code, file = tmp_path / "code", tmp_path / f"x{suffix}"
    code.write_text("a\\nb\n\\\\\n\x0c\u2028" * 20, encoding="utf-8")
    data = text.characters(code, 8, 4, stride=1)
    samples = data.prepare({"sample": data.load().sample[:20], "label": None})["sample"]
    data.write([samples], file)
    np.testing.assert_array_equal(data.read([file]).samples, samples)


def test_words_are_separated_by_spaces(path):
    data = text.words(path, 10, 4, stride=1, held_out=0.0)
    assert data.lines(data.load().sample)[11] == "� more � and"
    assert data.page(data.batch(0, 0, 3)["sample"]).shape[1] == 4 * 7 * 6 + 8


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("more and\nmore", "x.txt", r"x\.txt, line 2 has 4 characters, and a window of the run 8"),
        ("", "x.txt", r"there is no line in .*x\.txt"),
        ("more and", "x.csv", r"x\.csv: must be a \.txt file"),
        ('{"line": 3}', "x.jsonl", 'each line must be {"text": ...}'),
        ('{"text": null}', "x.jsonl", 'each line must be {"text": ...}, with a text'),
        (b"caf\xe9", "x.txt", "is not in UTF-8 at byte 3"),
    ],
)
def test_files_that_hold_no_windows_are_refused(tmp_path, data, content, name, message):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=message):
        data.read([tmp_path / name])


def test_more_lines_than_memory_holds_are_refused(tmp_path, data, monkeypatch):
    (tmp_path / "x.txt").write_text("more and\n" * 50)
    monkeypatch.setattr(memory, "machine_bytes", lambda: 10_000)
    with pytest.raises(RequestError, match=r"x\.txt: so many lines needs at least"):
        data.read([tmp_path / "x.txt"])


def test_longer_lines_are_cut_with_a_warning(tmp_path, data, caplog):
    (tmp_path / "x.txt").write_text("more and more\nmore and\n")
    _, read = data.read([tmp_path / "x.txt"])
    np.testing.assert_array_equal(read[0], read[1])
    assert "longer than 8 characters, of which the first are taken: 1 of 2 lines" in caplog.text
    with pytest.raises(RequestError, match=r"x\.txt holds more than 20 characters"):
        data.read([tmp_path / "x.txt"], largest=20)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary": 2}, "Text.vocabulary = 2: must be at least 3 and below 65537"),
        ({"length": 0}, "Text.length = 0: must be at least 1"),
        ({"held_out_fraction": 1.0}, "Text.held_out_fraction = 1.0: must be at least 0 and below"),
        ({"unit": "letters"}, "Text.unit = 'letters': expected one of 'characters', 'words'"),
        ({"path": ""}, "Text.path = '': must not be empty"),
    ],
)
def test_wrong_fields_are_refused(data, changes, message):
    with pytest.raises(RequestError, match=message):
        dataclasses.replace(data, **changes)


def test_a_text_shorter_than_a_window_is_refused(data):
    with pytest.raises(RequestError, match=r"length = 400: the part 'train' of .* has only 243 ch"):
        dataclasses.replace(data, length=400).load()


def experiment(data, **changes):
    fields = {
        "generator": networks.Generator(data.vocabulary, data.length, width=2),
        "discriminator": networks.Discriminator(width=2),
        "data": data,
        "latent_size": 4,
        "loss": Wasserstein(),
        "update_order": "alternating",
        "batch_size": 4,
        "steps": 6,
        "save_every": 3,
        "sample_every": 3,
        "log_every": 1,
        "evaluate_every": 3,
        "evaluate_samples": 40,
        "best_metric": "ngram_divergence_4",
        "ema_decay": 0.9,
    }
    return Experiment(**fields | changes)


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run") / "run"
    assert train(experiment(data), workdir) is Outcome.FINISHED
    return runs.load(workdir)


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_bits(data, run, tmp_path):
    for steps in (4, 6):
        train(experiment(data, steps=steps), tmp_path / "run")
    assert_same_bits(runs.load(tmp_path / "run").state, run.state)


def test_its_samples_are_probabilities_and_files_of_text(run, data, capsys, tmp_path):
    drawn = sampling.draw(run.experiment, run.state, 5)
    np.testing.assert_allclose(drawn.sum(-1), 1, atol=1e-5)
    out = tmp_path / "x.txt"
    code, _, err = gan_jax(capsys, "sample", run.directory.path, "--count", 5, "--out", out)
    assert code == 0, err
    np.testing.assert_array_equal(data.to_stored(data.read([out]).samples), data.to_stored(drawn))
    code, printed, _ = gan_jax(capsys, "score", run.directory.path, out)
    assert code == 0 and [line.split()[1] for line in printed.splitlines()] == [
        f"{out}:{number}" for number in range(1, 6)
    ]
    page = grids.read_png(run.directory.step_picture(6))
    assert page.shape[0] == data.samples_per_page * text.LINE + 2 * text.MARGIN


@pytest.mark.slow
def test_a_run_is_sampled_and_scored_without_its_text(data, capsys, tmp_path):
    copy = tmp_path / "sonnet.txt"
    copy.write_text(SENTENCES * 4, encoding="utf-8")
    moved = dataclasses.replace(data, path=str(copy))
    train(experiment(moved, steps=1, evaluate_every=None), tmp_path / "run")
    lines = tmp_path / "x.txt"
    words = ("sample", tmp_path / "run", "--count", 3, "--out", lines)
    assert gan_jax(capsys, *words)[0] == 0
    before = lines.read_text(encoding="utf-8")
    copy.unlink()
    text_file.read.cache_clear()
    assert gan_jax(capsys, *words)[0] == 0
    assert lines.read_text(encoding="utf-8") == before
    assert gan_jax(capsys, "score", tmp_path / "run", lines)[0] == 0

    # Earlier versions did not record the symbols.
    config = tmp_path / "run" / "config.json"
    record = json.loads(config.read_text())
    symbols = record["fitted"]["symbols"]
    others = symbols[:-1]
    last = (others[0], "\ud800", "ab", "", 3)
    for wrong in (["a"], others * 2, *([*others, each] for each in last)):
        config.write_text(json.dumps(record | {"fitted": {"symbols": wrong}}))
        code, _, err = gan_jax(capsys, *words)
        assert code == 2 and f"{config}: fitted: a text's {len(symbols)} different symbols" in err
    config.write_text(json.dumps(record | {"fitted": None}))
    copy.write_text(SENTENCES.replace("S", "Z") * 4, encoding="utf-8")
    for changed in (words, ("score", tmp_path / "run", lines)):
        code, _, err = gan_jax(capsys, *changed)
        assert code == 2 and "the examples of the data have changed since training" in err


def test_it_is_evaluated_by_its_ngrams_and_words(run):
    said = []
    found = evaluate_runs([run.directory.path], 40, announce=said.append)
    values = {(row["parameters"], row["metric"]): row["value"] for row in found.rows}
    for order in range(1, 7):
        name = f"ngram_divergence_{order}"
        assert 0 <= values["real", name] < values["ema", name] <= 1
    assert values["real", "known_words"] == 1
    assert values["ema", "bleu"] < values["real", "bleu"] <= 1
    # The text repeats itself, so that held-out windows are in the training part as well.
    assert (values["real", "longest_copy"], values["real", "copied_whole"]) == (LENGTH, 1)
    assert values["ema", "longest_copy"] < LENGTH
    assert ("ema", "memorisation") not in values  # which frequencies of symbols cannot tell
    assert {("real", "self_bleu"), ("raw", "distinct_ngrams")} <= set(values)
    assert {"classifier_score", "good_share"} & {name for _, name in values} == set()
    assert not any("good_share" in line for line in said)
    assert run.directory.best.is_dir()


@pytest.mark.slow
def test_a_generator_that_repeats_a_line_has_collapsed(data, capsys, tmp_path):
    still = Adam(0.0)  # the first generator's windows are all alike
    tried = experiment(
        data,
        steps=8,
        log_every=1,
        sample_every=1,
        evaluate_every=None,
        generator_optimizer=still,
        discriminator_optimizer=still,
    )
    train(tried, tmp_path / "run")
    code, printed, _ = gan_jax(capsys, "health", tmp_path / "run")
    assert code == 0 and "collapse: samples are 0." in printed


def test_without_sacrebleu_its_metrics_are_left_out(run, monkeypatch):
    monkeypatch.setattr(bleu, "installed", lambda: False)
    said = []
    found = evaluate_runs([run.directory.path], 40, announce=said.append)
    assert not {"bleu", "self_bleu"} & {row["metric"] for row in found.rows}
    assert "left out: bleu, self_bleu: needs sacrebleu: pip install 'gan_jax[text]'" in said


def test_the_networks_of_the_data_must_fit(data, capsys, tmp_path):
    wrong = experiment(data, generator=networks.Generator(data.vocabulary, 9, width=2))
    with pytest.raises(RequestError, match="9"):
        train(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_gradients_reach_every_parameter(data):
    tried = experiment(data, penalties=(GradientPenalty(10.0),), discriminator_steps=2)
    state = gan.init(tried, 0)
    batch = data.batch(0, 0, 8)
    after, _ = jax.jit(gan.update, static_argnums=0)(tried, state, batch)
    for player in ("generator", "discriminator"):
        before, now = (getattr(each, player).params for each in (state, after))
        if player == "discriminator":  # the last biases add the same to the logits of both sides
            for layer in ("Conv1d_9", "Dense_1"):
                del before[layer]["bias"], now[layer]["bias"]
        same = jax.tree.map(lambda one, other: bool((one == other).all()), before, now)
        assert not any(jax.tree.leaves(same)), player
