"""What a run's record keeps of its earlier starts."""

import pytest

from gan_jax import runs
from gan_jax.training import recording
from gan_jax.training.start import Start
from tests.tiny import tiny_points


@pytest.fixture
def record(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    made = recording.make_records({directory: tiny_points()}, None, None)[directory]
    return made | {"class_names": ["a", "b"]}


def start_at(step, tmp_path):
    directory = runs.RunDirectory(tmp_path)
    return Start(tiny_points(), directory, directory.checkpoints, step > 0, step, None, ())


def test_a_new_run_records_what_its_data_have_fitted(record, tmp_path):
    new = recording.extend(start_at(0, tmp_path), None, record, 8, {"mean": 1.0})
    assert new["fitted"] == {"mean": 1.0} and "resumed" not in new


def test_a_resumed_run_keeps_what_was_fitted_and_takes_new_names(record, tmp_path):
    earlier = record | {"fitted": {"mean": 1.0}}
    now = record | {"class_names": ["c", "d"]}
    resumed = recording.extend(start_at(4, tmp_path), earlier, now, 8, {"mean": 1.000001})
    assert resumed["fitted"] == {"mean": 1.0} and resumed["class_names"] == ["c", "d"]
    assert [each["step"] for each in resumed["resumed"]] == [4]


def test_a_finished_run_is_not_recorded_as_resumed(record, tmp_path):
    finished = recording.extend(start_at(8, tmp_path), record, record, 8, None)
    assert "resumed" not in finished


def test_a_resumed_run_announces_other_versions_and_another_length(record, tmp_path):
    longer = record | {"experiment": record["experiment"] | {"steps": 1234}}
    longer |= {"versions": record["versions"] | {"jax": "another"}}
    announced = recording.announce_changes(start_at(4, tmp_path), record, longer, 1234).messages
    assert any("1234" in message for message in announced)
    assert any("-> 'another'" in message for message in announced), announced
    finished = recording.announce_changes(start_at(8, tmp_path), record, longer, 8).messages
    assert not any("another'" in message for message in finished)
