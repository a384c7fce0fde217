import pytest

from gan_jax.evaluation import table
from gan_jax.evaluation.evaluate import Evaluation


def row(metric, value, seed=0, parameters="ema", spread=0.5):
    low, high = (None, None) if value is None else (value - spread, value + spread)
    return {
        "metric": metric,
        "parameters": parameters,
        "seed": seed,
        "samples": 1000,
        "value": value,
        "low": low,
        "high": high,
    }


def cells(rows):
    """Headings, then lines, of the table."""
    made = table.table(rows, plain=True)
    lines = zip(*(column.cells for column in made.columns), strict=True)
    return [[column.header for column in made.columns], *map(list, lines)]


def test_one_seed_has_its_values_with_their_intervals():
    rows = [row("recall", 0.25), row("recall", 0.5, parameters="raw"), row("precision", 0.75)]
    assert cells(rows) == [
        ["metric", "of", "samples", "seed 0"],
        ["recall", "ema", "1,000", "0.25 (-0.25 to 0.75)"],
        ["recall", "raw", "1,000", "0.5 (0 to 1)"],
        ["precision", "ema", "1,000", "0.75 (0.25 to 1.25)"],
    ]


def test_several_seeds_have_their_mean_with_the_interval_of_student():
    heading, line = cells([row("density", value, seed) for seed, value in enumerate((13, 14, 18))])
    assert heading == ["metric", "of", "samples", "mean over 3 seeds", "seed 0", "seed 1", "seed 2"]
    # 4.302653 is the 97.5 % point of Student's t with 2 degrees of freedom, from a printed table.
    half_width = 4.302653 * ((4 + 1 + 9) / 2 / 3) ** 0.5
    assert line[3] == f"15 ({15 - half_width:.4g} to {15 + half_width:.4g})"
    assert line[4:] == ["13 (12.5 to 13.5)", "14 (13.5 to 14.5)", "18 (17.5 to 18.5)"]


def test_the_interval_over_seeds_holds_what_is_possible_only():
    _, line = cells([row("recall", value, seed) for seed, value in enumerate((0.1, 0.9))])
    assert line[3] == "0.5 (0 to 1)"


@pytest.mark.parametrize(
    ("values", "parameters", "shown"),
    [
        ((1, None), "ema", ["", "1 (0.5 to 1.5)", "infinite"]),
        ((1, 1), "real", ["", "1 (0.5 to 1.5)", "1 (0.5 to 1.5)"]),
    ],
)
def test_where_a_mean_would_say_nothing_there_is_none(values, parameters, shown):
    rows = [row("recall", value, seed, parameters) for seed, value in enumerate(values)]
    assert cells(rows)[1][3:] == shown


def test_two_sets_of_images_have_neither_seeds_nor_parameters():
    rows = [{"metric": "recall", "samples": 9, "value": 0.5, "low": 0.25, "high": 1.0}]
    assert cells(rows) == [
        ["metric", "of", "samples", "value"],
        ["recall", "first", "9", "0.5 (0.25 to 1)"],
    ]


def test_plain_output_has_every_fact_and_metric_on_one_line(capsys):
    rows = [
        row(metric, value, seed)
        for seed in range(3)
        for metric, value in (("kernel_distance", 1.23456e-5), ("recall", 0.123456))
    ]
    table.show(Evaluation(("features [blocks]" + 250 * "x",), tuple(rows)))
    fact, heading, *lines = capsys.readouterr().out.splitlines()
    assert fact == "features [blocks]" + 250 * "x"
    assert " ".join(heading.split()) == "metric of samples mean over 3 seeds seed 0 seed 1 seed 2"
    assert [line.split()[0] for line in lines] == ["kernel_distance", "recall"]
    assert [line.count("(") for line in lines] == [4, 4]
