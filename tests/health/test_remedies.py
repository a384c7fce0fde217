"""What is advised can be done: each argument is one that `gan-jax train` takes."""

import ast
import re

import pytest

import gan_jax.augmentation
import gan_jax.guard
from gan_jax import losses, penalties
from gan_jax.cli import train
from gan_jax.cli.parsing import parse
from gan_jax.health.remedies import MISSING, REMEDIES, Addition, Remedy, _value, advice
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam
from gan_jax.training.preflight import check_shapes
from tests.tiny import tiny, tiny_points

# Each of its values can be improved, so that every remedy applies.
POOR = tiny(
    discriminator=dcgan.Discriminator(width=2, dropout=0.1),
    penalties=(penalties.R1(gamma=0.5),),
    discriminator_steps=2,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """POOR as a file, for the command line."""
    path = tmp_path_factory.mktemp("remedies") / "poor_experiment.py"
    path.write_text("from tests.health.test_remedies import POOR as experiment\n")
    return path


def fields_of(diagnosis):
    return [each for each in REMEDIES[diagnosis] if isinstance(each, Remedy)]


def paths(experiment, diagnosis):
    """Arguments of the advice: path -> value."""
    found = [re.match(r"--(\S+) (\S+) \(now", line) for line in advice(experiment, diagnosis)]
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("diagnosis", REMEDIES)
def test_every_remedy_is_of_a_field_that_exists(diagnosis):
    for remedy in fields_of(diagnosis):
        assert _value(POOR, remedy.path) is not MISSING, remedy.path


@pytest.mark.parametrize("diagnosis", REMEDIES)
def test_the_command_line_takes_all_that_is_advised(file, diagnosis):
    advised = paths(POOR, diagnosis)
    assert len(advised) == len(fields_of(diagnosis))
    flags = [word for path, value in advised.items() for word in (f"--{path}", value)]
    parsed = parse("train", train.FORMS, [str(file), *flags]).experiment
    for path, value in advised.items():
        assert _value(parsed, path.replace("-", "_")) == ast.literal_eval(value)


ADDITIONS = {each for of in REMEDIES.values() for each in of if isinstance(each, Addition)}


@pytest.mark.parametrize(
    "addition",
    sorted(ADDITIONS, key=lambda addition: addition.line),
    ids=lambda addition: addition.line,
)
def test_lines_for_the_file_can_be_written_there_and_are_not_advised_again(addition):
    names = {"penalties": penalties}
    names |= {"augmentation": gan_jax.augmentation, "guard": gan_jax.guard}
    field, _, value = addition.line.partition("=")
    assert addition.fits(tiny())
    changed = tiny(**{field: eval(value, names)})
    check_shapes(changed)
    assert not addition.fits(changed)


def test_what_is_so_already_is_not_advised():
    experiment = tiny(
        loss=losses.NonSaturating(label_smoothing=0.1),
        discriminator=dcgan.Discriminator(width=2, dropout=0.3),
        generator_optimizer=Adam(b1=0.5),
        ema_decay=0.999,
    )
    strong = paths(experiment, "discriminator too strong")
    assert strong.keys() == {"discriminator-optimizer.learning-rate"}
    assert paths(experiment, "collapse").keys() == {
        "generator-optimizer.learning-rate",
        "batch-size",
    }


def test_advice_says_what_to_try_what_is_now_and_why():
    experiment = tiny(generator_optimizer=Adam(2e-4))
    lines = advice(experiment, "collapse")
    assert lines[0] == "penalties=(penalties.R1(1.0),) in the file: smoother logits around the data"
    words = "--generator-optimizer.learning-rate 0.0001 (now 0.0002): the generator"
    assert lines[1].startswith(words)


def test_penalties_that_are_there_stay_there():
    lines = advice(tiny(penalties=(penalties.LeCam(),)), "collapse")
    assert lines[0].startswith(
        "penalties=(penalties.R1(1.0),) in the file, added to the present ones: "
    )


def test_r1_is_advised_only_where_examples_are_judged_apart():
    def advised(experiment):
        return any("penalties.R1" in line for line in advice(experiment, "diverging"))

    assert advised(tiny())
    assert not advised(tiny(discriminator=dcgan.Discriminator(width=2, batch_norm=True)))
    assert not advised(POOR)


def test_a_balanced_run_needs_no_advice():
    assert advice(tiny(), "balanced") == []


def test_augmentations_of_images_are_advised_for_images_alone():
    def advised(experiment):
        advice_lines = advice(experiment, "discriminator overfitting")
        return any("DiffAugment" in line for line in advice_lines)

    assert advised(tiny())
    assert not advised(tiny_points())
