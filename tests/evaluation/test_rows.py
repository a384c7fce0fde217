import json
import math

from gan_jax import features
from gan_jax.evaluation.measure import Measured
from gan_jax.evaluation.rows import make_rows, read_rows, record_rows
from gan_jax.metrics.estimate import Estimate
from tests.tiny_features import blocks

NETWORK = features.function(blocks)
SOURCE = {"step": 5, "seed": 0, "parameters": "ema", "key": 0, "drawn": 100}


def rows(value=1.0, **source):
    measured = {"frechet_distance": Measured(Estimate(value, value - 1, value + 1), 100, 2000)}
    return make_rows(measured, NETWORK, "train", **SOURCE | source)


def test_a_row_names_all_that_the_value_holds_for():
    assert rows() == [
        SOURCE
        | {
            "features": "tests.tiny_features:blocks",
            "features_sha256": NETWORK.sha256(),
            "samples": 100,
            "real_samples": 2000,
            "split": "train",
            "metric": "frechet_distance",
            "value": 1.0,
            "low": 0.0,
            "high": 2.0,
        }
    ]


def test_the_same_measurement_again_replaces_its_rows(tmp_path):
    path = tmp_path / "evaluation.jsonl"
    record_rows(path, rows() + rows(step=10))
    record_rows(path, rows(2.0) + rows(3.0, key=1))
    found = [(row["step"], row["key"], row["value"]) for row in read_rows(path)]
    assert found == [(10, 0, 1.0), (5, 0, 2.0), (5, 1, 3.0)]


def test_sets_of_images_of_other_sizes_are_other_measurements(tmp_path):
    path = tmp_path / "scores.jsonl"
    names = {"first": "a", "second": "b"}
    earlier = rows(**names)  # as before size and channels were recorded
    record_rows(path, earlier)
    for size, channels in ((28, 1), (64, 1), (64, 3), (28, 1)):
        record_rows(path, rows(size=size, channels=channels, **names))
    found = [(row.get("size"), row.get("channels")) for row in read_rows(path)]
    assert found == [(None, None), (64, 1), (64, 3), (28, 1)]
    assert read_rows(path)[0] == earlier[0]


def test_lines_that_another_hand_damaged_are_left_out(tmp_path):
    path = tmp_path / "evaluation.jsonl"
    record_rows(path, rows())
    with path.open("a") as file:
        for name in ("seed", "metric", "features"):  # a list or an object where a key belongs
            file.write(json.dumps(rows()[0] | {name: [1]}) + "\n")
            file.write(json.dumps(rows()[0] | {name: {}}) + "\n")
        for name, value in (("features_sha256", 1e308), ("split", 3), ("drawn", "many")):
            file.write(json.dumps(rows()[0] | {name: value}) + "\n")
        file.write('[1]\n{"step": 3, "me')
    assert read_rows(path) == rows()
    record_rows(path, rows(step=6))
    assert len(path.read_text().splitlines()) == 2


def test_what_is_infinite_is_null_as_json_has_no_infinity(tmp_path):
    path = tmp_path / "evaluation.jsonl"
    infinite = {"class_divergence": Measured(Estimate(math.inf, 0.0, math.inf), 100, 2000)}
    record_rows(path, make_rows(infinite, NETWORK, "train", **SOURCE))
    (row,) = map(json.loads, path.read_text().splitlines())
    assert (row["value"], row["low"], row["high"]) == (None, 0.0, None)


def test_no_file_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "evaluation.jsonl") == []
