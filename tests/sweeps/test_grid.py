"""Configurations of a sweep: what grids, draws and files mean, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from gan_jax import losses, penalties
from gan_jax.common.errors import RequestError
from gan_jax.optimizers import Adam
from gan_jax.runs.serialisation import load_experiment
from gan_jax.sweeps import grid
from tests.tiny import tiny

FILE = Path(__file__).parents[1] / "sweep_experiment.py"


def made(*texts, draws=((),)):
    base = load_experiment(FILE)
    return grid.product(base, [grid.parse_grid(text, FILE) for text in texts], draws)


def test_a_grid_is_the_product_of_its_fields_with_names_that_say_them():
    found = made("loss=losses.NonSaturating,losses.Minimax(label_smoothing=0.1)", "batch_size=4,8")
    assert list(found) == [
        "loss=NonSaturating,batch_size=4",
        "loss=NonSaturating,batch_size=8",
        "loss=Minimax-label_smoothing=0.1,batch_size=4",
        "loss=Minimax-label_smoothing=0.1,batch_size=8",
    ]
    last = found["loss=Minimax-label_smoothing=0.1,batch_size=8"]
    assert (last.loss, last.batch_size) == (losses.Minimax(label_smoothing=0.1), 8)


def test_values_are_python_with_the_names_of_the_file():
    found = made("penalties=(),(R1(1.0),)")
    assert [each.penalties for each in found.values()] == [(), (penalties.R1(1.0),)]
    assert list(found) == ["penalties=none", "penalties=R1-1.0"]


def test_words_stand_for_themselves_and_negative_numbers_for_numbers():
    found = made("update_order=simultaneous,alternating")
    assert [each.update_order for each in found.values()] == ["simultaneous", "alternating"]
    assert [choice.value for choice in grid.parse_grid("x=-1,2", FILE)] == [-1, 2]


def test_fields_that_change_together():
    found = made("generator.width+discriminator.width=3,4")
    widths = [(each.generator.width, each.discriminator.width) for each in found.values()]
    assert widths == [(3, 3), (4, 4)]
    assert next(iter(found)) == "generator.width+discriminator.width=3"


def test_fields_deep_inside_and_hyphens():
    found = made("generator-optimizer.learning-rate=1e-3")
    (experiment,) = found.values()
    assert experiment.generator_optimizer == Adam(1e-3)
    deep = grid.with_field(tiny(penalties=(penalties.R1(),)), "penalties.0.gamma", 2.0)
    assert deep.penalties == (penalties.R1(2.0),)


@pytest.mark.parametrize(("field", "other"), [("steps", "epochs"), ("epochs", "steps")])
def test_one_length_takes_the_place_of_the_other(field, other):
    base = tiny(**{other: 3, field: None})
    changed = grid.with_field(base, field, 2)
    assert (getattr(changed, field), getattr(changed, other)) == (2, None)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["widht=3"], "no field 'widht' in Experiment"),
        (["generator.widht=3"], "no field 'widht' in Generator; did you mean 'width'?"),
        (["generator.width.deep=3"], "no field 'deep' in int"),
        (["batch_size=0"], "Experiment.batch_size = 0: must be at least 1"),
        (["batch_size=4.5"], "Experiment.batch_size = 4.5: expected int"),
        (["update_order=alternate"], "did you mean 'alternating'?"),
        (["loss=losses.Hnge"], "has no attribute 'Hnge'; did you mean 'Hinge'?"),
        (["optimizer.b1=0.5"], "in Experiment; did you mean 'generator_optimizer'?"),
        (["learning_rate=0.1"], "did you mean 'generator_optimizer.learning_rate'?"),
        (["loss=lossses.Minimax"], "name 'lossses' is not defined; did you mean 'losses'?"),
        (["batch_size"], "give FIELD=VALUE,VALUE"),
        (["batch_size=4,,"], "not Python values"),
        (["batch_size="], "give at least one value"),
        (["batch_size=4", "batch_size=8"], "field batch_size is given twice"),
        (["batch_size=4,4"], "two configurations are named batch_size=4"),
        (["ema_decay=0,0.0"], "the configurations ema_decay=0 and ema_decay=0.0 are equal"),
        (["seed=0,1"], "give --seeds 0:4"),
        (["steps=4", "epochs=1"], "steps and epochs: give one of the two"),
        (["batch_size=3]+[4"], "not values with commas"),
        (["latent_size=n for n in (3, 4)"], "not values with commas"),
        (["latent_size=exit()"], "raises SystemExit"),
        (["latent_size.=3"], "no field '' in int"),
    ],
)
def test_wrong_grids_are_refused(texts, message):
    with pytest.raises(RequestError) as refused:
        made(*texts)
    assert message in str(refused.value)


def values_of(choices):
    return {field: choice.value for choice in choices for field in choice.fields}


def test_draws_lie_in_their_interval_and_do_not_depend_on_how_many_there_are():
    ranges = [
        grid.parse_range("generator_optimizer.learning_rate=log:1e-5:1e-3"),
        grid.parse_range("batch_size=4:9"),
        grid.parse_range("ema_decay=0.5:0.9"),
    ]
    choices = grid.draw(ranges, 200, key=3)
    assert grid.draw(ranges, 5, key=3) == choices[:5]
    assert grid.draw(ranges, 5, key=4) != choices[:5]
    drawn = [values_of(each) for each in choices]
    rates = np.array([values["generator_optimizer.learning_rate"] for values in drawn])
    assert rates.min() >= 1e-5 and rates.max() <= 1e-3
    assert 0.4 < (rates < 1e-4).mean() < 0.6  # the middle of the interval, on a logarithmic scale
    assert {values["batch_size"] for values in drawn} == {4, 5, 6, 7, 8, 9}
    assert all(values["ema_decay"] == float(f"{values['ema_decay']:.5g}") for values in drawn)


def test_draws_differ_and_too_few_different_ones_are_refused():
    ranges = [grid.parse_range("latent_size=3:6")]
    drawn = grid.draw(ranges, 4, key=0)
    assert sorted(values_of(each)["latent_size"] for each in drawn) == [3, 4, 5, 6]
    with pytest.raises(RequestError, match="only 4 different draws were found"):
        grid.draw(ranges, 5, key=0)


def test_logarithmic_integers_are_as_frequent_as_their_part_of_the_interval():
    interval = grid.parse_range("latent_size=log:1:4")
    generator = np.random.default_rng(0)
    found = np.bincount([interval.draw(generator).value for _ in range(20_000)])[1:]
    borders = np.log([0.5, 1.5, 2.5, 3.5, 4.5])
    expected = 20_000 * np.diff(borders) / (borders[-1] - borders[0])
    np.testing.assert_allclose(found, expected, rtol=0.05)


def test_a_field_is_drawn_from_one_interval():
    ranges = [grid.parse_range(text) for text in ("latent_size=1:2", "latent-size=3:4")]
    with pytest.raises(RequestError, match="latent_size is given twice"):
        made(draws=grid.draw(ranges, 2, key=0))


def test_names_of_configurations_are_short_enough_for_files():
    assert len(grid.file_name("é" * 300).encode()) <= grid.LONGEST_NAME


def test_draws_are_combined_with_the_grid():
    drawn = grid.draw([grid.parse_range("batch_size=4:64")], 3, key=0)
    found = made("latent_size=3,4", draws=drawn)
    assert len(found) == 6
    assert [each.batch_size for each in found.values()] == [
        values_of(each)["batch_size"] for each in drawn
    ] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1", "give FIELD=LOW:HIGH"),
        ("x=1:a", "with two numbers"),
        ("x=1:nan", "with two numbers"),
        ("x=2:1", "must be LOW < HIGH"),
        ("x=log:0:1", "must be 0 < LOW < HIGH"),
        ("x=1:99999999999999999999", "at most 1e"),
        ("x=-1e308:1e308", "at most 1e"),
    ],
)
def test_wrong_ranges_are_refused(text, message):
    with pytest.raises(RequestError, match=message):
        grid.parse_range(text)


def test_a_file_yields_configurations():
    found = grid.from_file(FILE.with_name("sweep_configurations.py"))
    assert {name: each.latent_size for name, each in found.items()} == {
        "latent_3": 3,
        "latent_5": 5,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("experiments = 3", "must define"),
        ("def experiments(): yield 3", "must yield (name, experiment), not 3"),
        ("def experiments(): return ()", "no configurations to train"),
        (
            "from tests.tiny import tiny\ndef experiments(): yield 'a/b', tiny()",
            "the name 'a/b' cannot be used for a configuration's folder; 'a-b' can, for example",
        ),
        (
            "from tests.tiny import tiny\ndef experiments(): yield 'logs', tiny()",
            "'configuration_logs' can, for example",
        ),
        (
            "from tests.tiny import tiny as t\ndef experiments(): yield 'a', t(); yield 'b', t()",
            "the configurations a and b are equal",
        ),
    ],
)
def test_files_that_yield_something_else_are_refused(tmp_path, body, message):
    file = tmp_path / f"configurations_{abs(hash(body))}.py"
    file.write_text(body)
    with pytest.raises(RequestError) as refused:
        grid.from_file(file)
    assert message in str(refused.value)
