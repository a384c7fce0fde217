"""Tables on the terminal: what they show, and that nothing is cut."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gan_jax.evaluation.compare import Basis, Comparison, Configuration
from gan_jax.evaluation.of_runs import Evaluation
from gan_jax.reports import terminal


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
    made = terminal.table(rows, plain=True)
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
        for metric, value in (("class_divergence", 1.23456e-5), ("recall", 0.123456))
    ]
    terminal.show(Evaluation(("features [blocks]" + 250 * "x",), tuple(rows)))
    fact, heading, *lines = capsys.readouterr().out.splitlines()
    assert fact == "features [blocks]" + 250 * "x"
    assert " ".join(heading.split()) == "metric of samples mean over 3 seeds seed 0 seed 1 seed 2"
    assert [line.split()[0] for line in lines] == ["class_divergence", "recall"]
    assert [line.count("(") for line in lines] == [4, 4]


def on_terminal(monkeypatch, width):
    monkeypatch.setattr(terminal, "make_console", lambda: (Console(width=width), False))


def seeds_of_all(count):
    """Rows of some metrics for each seed, of one with an infinite value and of held-out examples"""
    values = {"classifier_score": 21.123456, "recall": 0.123456, "density": 0.5}
    rows = [row(name, value, seed) for seed in range(count) for name, value in values.items()]
    rows += [row("frechet_distance", None if seed else 1.0, seed) for seed in range(count)]
    return rows + [row("recall", 0.75, seed, "real") for seed in range(count)]


@pytest.mark.parametrize("width", [40, 80])
def test_single_seeds_are_left_out_where_they_are_too_wide(capsys, monkeypatch, width):
    on_terminal(monkeypatch, width)
    terminal.show(Evaluation((), tuple(seeds_of_all(5))))
    out = capsys.readouterr().out
    assert "single seeds" in out
    assert "evaluation.jsonl" in out
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert [line for line in lines if line] == [
        ["classifier_score", "ema", "1,000", "21.12 (21.12 to 21.12)"],
        ["recall", "ema", "1,000", "0.1235 (0.1235 to 0.1235)"],
        ["recall", "real", "1,000", "0.75 (0.25 to 1.25)"],
        ["density", "ema", "1,000", "0.5 (0.5 to 0.5)"],
        ["frechet_distance", "ema", "1,000", "infinite"],
    ]


@pytest.mark.parametrize(("value", "said"), [(0.4, True), (0.6, False)])
def test_a_kernel_distance_near_0_is_said_to_have_a_wide_interval(capsys, value, said):
    terminal.show(Evaluation((), (row("kernel_distance", value),)))
    assert ("2.6 times too wide" in capsys.readouterr().out) == said


def test_single_seeds_are_there_where_they_fit(capsys, monkeypatch):
    on_terminal(monkeypatch, 300)
    terminal.show(Evaluation((), tuple(seeds_of_all(5))))
    out = capsys.readouterr().out
    assert "seed 4" in out
    assert "evaluation.jsonl" not in out


def compared(*paths):
    values = np.array([20.123456, 21.234567])
    configurations = [Configuration(Path(path), 0, ((), ()), 12.0) for path in paths]
    return [
        Comparison(configuration, metric, values, "no difference shown", 0.24)
        for metric in ("classifier_score", "class_divergence")
        for configuration in configurations
    ]


@pytest.mark.parametrize("width", [40, 80])
def test_configurations_metrics_and_numbers_are_whole_on_a_narrow_terminal(
    capsys, monkeypatch, width
):
    on_terminal(monkeypatch, width)
    paths = ("/runs/long/losses/loss=Minimax", "/runs/long/losses/loss=Hinge")
    terminal.show_comparisons(Basis("blocks", "ab", 50, 0), compared(*paths))
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert "…" not in out
    assert out.count("/runs/long/losses") == 1
    assert ["classifier_score"] in lines
    assert ["class_divergence"] in lines
    number = ["20.68", "(13.62", "to", "27.74)", "0.786"]
    assert [line[0] for line in lines if line[2:7] == number] == ["loss=Minimax", "loss=Hinge"] * 2
    assert width < 80 or max(map(len, out.splitlines())) <= width


@pytest.mark.parametrize(
    ("paths", "common", "names"),
    [
        (("runs/a", "runs/ab"), "runs", ["a", "ab"]),
        (("runs/a/x", "runs/b/x"), "runs", ["a/x", "b/x"]),
        (("/runs/a", "runs/b"), None, ["/runs/a", "runs/b"]),
        (("a", "b"), None, ["a", "b"]),
        (("/runs/a",), "/runs", ["a"]),
    ],
)
def test_what_directories_have_in_common_is_said_once(capsys, monkeypatch, paths, common, names):
    on_terminal(monkeypatch, 80)
    terminal.show_comparisons(Basis("blocks", "ab", 50, 0), compared(*paths))
    out = capsys.readouterr().out
    assert ("directories in" in out) == (common is not None)
    assert common is None or f"directories in {common}\n" in out
    assert [line.split()[0] for line in out.splitlines() if "0 of 2" in line] == names


def test_of_many_classes_the_rarest_are_shown(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "MOST_CLASSES", 2)
    counts = {"a": 30, "b": 1, "c": 30, "d": 5}
    rows = [
        row("accuracy", value)
        | {"trained_on": what, "generator_examples": 66}
        | ({} if name is None else {"class": name, "class_examples": counts[name]})
        for value, what in ((0.5, "real"), (0.25, "samples"))
        for name in (None, *counts)
    ]
    terminal.show_accuracies(Evaluation(("how",), tuple(rows), ()))
    how, note, headings, *lines = capsys.readouterr().out.splitlines()
    assert (how, note) == ("how", "the 2 rarest classes")
    assert headings.split() == ["class", "examples", "real", "samples"]
    assert [line.split()[:2] for line in lines] == [["all", "66"], ["b", "1"], ["d", "5"]]
    assert all("0.5 (" in line and "0.25 (" in line for line in lines)
