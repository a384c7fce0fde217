import pytest

from gan_jax.runs.places import find_file


@pytest.mark.parametrize(
    ("recorded", "run"),
    [
        ("own.py", "run"),
        ("own.py", "run/seed_0"),
        ("experiments/own.py", "runs/own"),
        ("experiments/own.py", "runs/sweep/a=1/seed_0"),
        ("deep/er/own.py", "own"),
    ],
)
def test_the_file_of_a_project_that_moved_is_found(tmp_path, recorded, run):
    file = tmp_path / "new" / recorded
    file.parent.mkdir(parents=True)
    file.touch()
    (tmp_path / "new" / run).mkdir(parents=True)
    old = str(tmp_path / "old" / recorded)
    assert find_file(old, tmp_path / "new" / run) == str(file)


def test_a_file_that_is_still_there_or_nowhere_stays_as_it_was_recorded(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "run").mkdir()
    for name in ("old/own.py", "own.py"):
        (tmp_path / name).touch()
    assert find_file(str(tmp_path / "old/own.py"), tmp_path / "run") == str(tmp_path / "old/own.py")
    assert find_file("/nowhere/other.py", tmp_path / "run") == "/nowhere/other.py"
    assert find_file(None, tmp_path / "run") is None
