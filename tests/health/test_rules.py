"""Each rule on histories made up for it, and the words on a run that was trained."""

import dataclasses
import shutil

import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.data import grids, images
from gan_jax.health import rules
from gan_jax.health.remedies import REMEDIES
from gan_jax.health.rules import History
from gan_jax.losses import Wasserstein
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam
from gan_jax.training.train import train
from tests.tiny import tiny

LINES = 12
HEALTHY = {
    "discriminator_loss": 1.3,
    "generator_loss": 0.8,
    "gradient_norm_discriminator": 0.2,
    "gradient_norm_generator": 0.1,
    "accuracy_real": 0.7,
    "accuracy_fake": 0.7,
    "logit_real": 0.5,
    "logit_fake": -0.5,
    "logit_training": 0.5,
    "logit_held_out": 0.4,
    "logit_samples": -0.5,
    "distance_ratio": 0.95,
} | {f"class_share_{number}": 0.1 for number in range(10)}


def history(scores=(), **changes):
    """Lines of steps 100 to 1,200; `changes` hold in the last three, which are judged."""
    lines = [{"step": 100 * (line + 1)} | HEALTHY for line in range(LINES)]
    return History([*lines[:-3], *(line | changes for line in lines[-3:])], list(scores))


def fractions(*values):
    return {f"class_share_{number}": value for number, value in enumerate(values)}


def score(step, value):
    bounds = {"low": value - 1, "high": value + 1}
    return {"step": step, "metric": "frechet_distance", "value": value} | bounds


def diagnoses(history):
    return [finding.diagnosis for finding in rules.findings(history)]


SEEN_ALWAYS = ("step", "accuracy_real", "accuracy_fake")
STRONG = {"accuracy_real": 0.99, "accuracy_fake": 0.98, "logit_real": 4.0, "logit_fake": -3.0}


@pytest.mark.parametrize(
    ("changes", "diagnosis", "figures"),
    [
        ({"generator_loss": 40.0}, "diverging", ["generator_loss is 40, after 0.8"]),
        ({"gradient_norm_generator": 2.0}, "diverging", ["gradient_norm_generator is 2"]),
        ({"distance_ratio": 0.3}, "collapse", ["0.30 times"]),
        (fractions(*[0.25] * 4, *[0.0] * 6), "collapse", ["6 of 10 classes", "4, 5, 6, 7, 8, 9"]),
        (STRONG, "discriminator too strong", ["99% of real", "98% of generated", "7.0 apart"]),
        ({"accuracy_real": 1.0, "accuracy_fake": 0.0}, "discriminator fooled", ["0% of generated"]),
        ({"logit_held_out": -0.2}, "discriminator overfitting", ["0.50", "-0.20", "-0.50"]),
    ],
)
def test_each_rule_alone_sees_its_trouble_and_shows_it(changes, diagnosis, figures):
    (finding,) = rules.findings(history(**changes))
    assert finding.diagnosis == diagnosis
    for words in (*figures, "steps 1,000 to 1,200"):
        assert words in finding.evidence


@pytest.mark.parametrize("changes", [STRONG, {}])
def test_logits_that_are_no_log_odds_are_not_judged_by_their_size(changes):
    judged = dataclasses.replace(history(**changes), loss=Wasserstein())
    assert diagnoses(judged) == ["balanced"]
    far = [line | {"logit_real": 2e3, "logit_fake": -2e3} for line in judged.metrics]
    assert diagnoses(dataclasses.replace(judged, metrics=far)) == ["balanced"]


@pytest.mark.parametrize("name", ["rollbacks", "returns"])  # as now, and as in earlier versions
def test_steps_that_a_guard_skips_are_a_divergence(name):
    lines = [
        line | {"skipped": 20 * number, name: 2 * number}
        for number, line in enumerate(history().metrics)
    ]
    (finding,) = rules.findings(History(lines, []))
    assert finding.diagnosis == "diverging"
    words = "skipped 20% of the steps (steps 1,000 to 1,200), and has rolled back 22 times"
    assert words in finding.evidence


@pytest.mark.parametrize("lines", [0, 2, LINES])
def test_a_run_that_was_given_up_has_diverged(lines):
    end = "at step 1,234: logit_fake is nan"
    (finding,) = rules.findings(History(history().metrics[:lines], [], end))
    assert finding.diagnosis == "diverging"
    assert finding.evidence == "training ended at step 1,234: logit_fake is nan"


@pytest.mark.parametrize("damage", ["x", None, [1]])
def test_figures_that_are_no_numbers_are_left_out(damage):
    lines = [line | {"logit_real": damage} for line in history().metrics]
    assert diagnoses(History(lines, [])) == ["balanced"]


def test_a_run_that_was_out_of_proportion_from_the_start_diverges():
    changed = {"logit_fake": -5000.0}
    lines = [line | changed for line in history(**changed).metrics]
    assert diagnoses(History(lines, [])) == ["diverging"]


def test_a_healthy_history_is_balanced():
    (finding,) = rules.findings(history([score(300, 30.0), score(1200, 20.0)]))
    assert finding.diagnosis == "balanced"
    assert "70% of real" in finding.evidence


@pytest.mark.parametrize(
    "changes",
    [
        {"generator_loss": 7.0},
        {"accuracy_real": 0.99, "accuracy_fake": 0.99},
        {"logit_real": 4.0, "logit_fake": -3.0},
        {"logit_held_out": 0.1},
        {"logit_training": 0.4, "logit_held_out": -0.4, "logit_samples": -0.5},
        fractions(*[0.125] * 8, 0.0, 0.0),
    ],
)
def test_half_of_a_sign_is_no_trouble(changes):
    assert diagnoses(history(**changes)) == ["balanced"]


@pytest.mark.parametrize(("count", "diagnosis"), [(4, "balanced"), (5, "collapse")])
def test_a_young_generator_is_not_called_collapsed(count, diagnosis):
    whole = history().metrics
    blind = [{name: line[name] for name in SEEN_ALWAYS} for line in whole]
    alike = [line | {"distance_ratio": 0.02} for line in whole[:count]]
    assert diagnoses(History([*alike, *blind[count:]], [])) == [diagnosis]


def test_where_it_is_too_early_to_tell_a_collapse_that_is_said():
    whole = history().metrics
    blind = [{name: line[name] for name in SEEN_ALWAYS} for line in whole]
    (finding,) = rules.findings(History([*whole[:4], *blind[4:]], []))
    assert finding.evidence.endswith(
        "4 diagnostics of samples are too few to rule out a collapse, 5 are needed"
    )
    (finding,) = rules.findings(History(whole, []))
    assert "collapse" not in finding.evidence


def test_a_trouble_that_has_passed_is_forgotten():
    lines = history().metrics
    early = [line | STRONG | {"distance_ratio": 0.1} for line in lines[:3]]
    assert diagnoses(History(early + lines[3:], [])) == ["balanced"]


def test_several_troubles_are_all_told():
    told = diagnoses(history(**STRONG, distance_ratio=0.3))
    assert told == ["collapse", "discriminator too strong"]


def test_a_distance_that_got_worse_is_diverging_and_the_best_step_is_named():
    (finding,) = rules.findings(history([score(600, 20.0), score(1200, 40.0)]))
    assert finding.diagnosis == "diverging"
    assert "was 20 at step 600 and is 40 at step 1,200" in finding.evidence


def test_a_score_that_fell_is_diverging():
    names = {"metric": "classifier_score"}
    scores = [score(600, 9.0) | names, score(1200, 4.0) | names]
    worse = dataclasses.replace(history(scores), best_metric="classifier_score")
    assert diagnoses(worse) == ["diverging"]


def test_a_distance_within_the_intervals_is_not_diverging():
    close = [score(600, 1.0), score(1200, 1.8)]
    assert diagnoses(history(close)) == ["balanced"]


def test_too_few_lines_say_nothing():
    few = History(history(**STRONG).metrics[-rules.LEAST_LINES + 1 :], [])
    (finding,) = rules.findings(few)
    assert finding.diagnosis == "too little data to say"
    assert "7 lines" in finding.evidence
    assert diagnoses(History([], [])) == ["too little data to say"]


def test_a_thousand_classes_are_too_many_to_miss_any():
    rare = fractions(*[1 / 256] * 256, *[0.0] * 744)
    assert diagnoses(history(**rare)) == ["balanced"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of the tiny experiment with a line for each of its 12 steps."""
    workdir = tmp_path_factory.mktemp("health") / "run"
    train(tiny(log_every=1), workdir)
    return workdir


def test_a_run_is_described_with_a_diagnosis_and_steps(run):
    described = rules.describe(run)
    diagnosis = described.split(":")[0]
    assert diagnosis in ("balanced", *REMEDIES)
    assert "steps" in described


def test_lost_lines_are_said(run, tmp_path):
    damaged = shutil.copytree(run, tmp_path / "run")
    metrics = damaged / "metrics.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:9]))
    said = f"incomplete: {metrics} lacks 3 of the 12 lines of every 1 steps up to step 12"
    assert rules.describe(damaged).splitlines()[0] == said
    assert "incomplete" not in rules.describe(run)


def test_damaged_lines_are_skipped(run, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 2.0}\n{"step": 2, "a"\n[3]\n{"a": 4}\n{"step": 5}\n')
    directory, experiment = runs.open_directory(run)
    damaged = runs.RunDirectory(tmp_path)
    assert rules.read(damaged, experiment).metrics == [{"step": 1, "a": 2.0}, {"step": 5}]
    assert len(rules.read(directory, experiment).metrics) == 12


def test_the_end_of_a_run_that_was_given_up_is_read(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    assert rules.read(directory, tiny()).end is None
    directory.divergence.write_text('{"step": 4000, "reason": "why"}')
    assert rules.read(directory, tiny()).end == "at step 4,000: why"


@pytest.mark.parametrize("text", ["", '{"step', "[]", '{"step": 4}', '{"step": "4", "reason": ""}'])
def test_a_damaged_note_of_it_is_called_so(tmp_path, text):
    directory = runs.RunDirectory(tmp_path)
    directory.divergence.write_text(text)
    (finding,) = rules.findings(rules.read(directory, tiny()))
    assert finding.diagnosis == "diverging"
    assert f"at an unknown step: {directory.divergence} is damaged" in finding.evidence


def test_without_a_run_nothing_is_described(tmp_path):
    with pytest.raises(RequestError, match="no run in"):
        rules.describe(tmp_path)


@pytest.fixture(scope="module")
def few_digits(tmp_path_factory):
    """A folder of 32 digits, and one of 256 held out."""
    pixels = images.mnist_sample(split="test", size=8).load().sample
    folder = tmp_path_factory.mktemp("digits")
    for split, chosen in (("train", pixels[:32]), ("test", pixels[1000:1256])):
        (folder / split).mkdir()
        for number, image in enumerate(chosen):
            grids.save_png(image, folder / split / f"{number}.png")
    return images.folder(str(folder / "train"), size=8, channels=1)


def adam(learning_rate):
    return Adam(learning_rate, b1=0.5)


SICK = {
    "balanced": {"sample_every": 100},
    "discriminator too strong": {"generator_optimizer": adam(1e-6)},
    "collapse": {"generator_optimizer": Adam(0.03, b1=0.9)},
    "diverging": {"generator_optimizer": Adam(3.0), "discriminator_optimizer": Adam(1.0)},
    "discriminator overfitting": {
        "generator": dcgan.Generator(width=8, image_size=8),
        "discriminator": dcgan.Discriminator(width=32, dropout=0.0, hidden=64),
        "steps": 1000,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("diagnosis", SICK)
def test_runs_that_suffer_from_it_are_found_to(tmp_path, few_digits, diagnosis):
    few = {"data": few_digits} if diagnosis == "discriminator overfitting" else {}
    experiment = tiny(
        generator=dcgan.Generator(width=4, image_size=8),
        discriminator=dcgan.Discriminator(width=8, dropout=0.0),
        generator_optimizer=adam(1e-3),
        discriminator_optimizer=adam(1e-3),
        batch_size=32,
        steps=400,
        log_every=20,
        sample_every=40,
        save_every=1000,
    )
    train(dataclasses.replace(experiment, **few | SICK[diagnosis]), tmp_path / "run")
    found = diagnoses(rules.read(*runs.open_directory(tmp_path / "run")))
    assert diagnosis in found
    if diagnosis == "balanced":
        assert found == ["balanced"]
