"""What a run's record keeps of its earlier starts."""

import pytest

from gan_jax import runs
from gan_jax.training import recording
from tests.tiny import tiny_points


@pytest.fixture
def record(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    made = recording.make_records({directory: tiny_points()}, None, None)[directory]
    return made | {"class_names": ["a", "b"]}


def test_a_new_run_records_what_its_data_have_fitted(record):
    new = recording.extend(None, record, 0, {"mean": 1.0})
    assert new["fitted"] == {"mean": 1.0} and "resumed" not in new
    assert recording.changes_in_words(None, record, None) == ()


def test_a_resumed_run_keeps_what_was_fitted_and_takes_new_names(record):
    earlier = record | {"fitted": {"mean": 1.0}}
    now = record | {"class_names": ["c", "d"]}
    resumed = recording.extend(earlier, now, 4, {"mean": 1.000001})
    assert resumed["fitted"] == {"mean": 1.0} and resumed["class_names"] == ["c", "d"]
    assert [each["step"] for each in resumed["resumed"]] == [4]


def test_a_run_of_an_earlier_version_gets_what_its_data_have_fitted(record):
    assert recording.extend(record, record, 4, {"mean": 1.0})["fitted"] == {"mean": 1.0}


def test_a_finished_run_is_not_recorded_as_resumed(record):
    assert "resumed" not in recording.extend(record, record, None, None)


def test_other_versions_and_another_length_are_said(record):
    longer = record | {"experiment": record["experiment"] | {"steps": 1234}}
    longer |= {"versions": record["versions"] | {"jax": "another"}}
    length, versions = recording.changes_in_words(record, longer, 4)
    assert "1234" in length and "-> 'another'" in versions
    assert recording.changes_in_words(record, longer, None) == (length,)  # it goes on from nothing
