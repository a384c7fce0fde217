import json

import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.runs.record import VERSIONED
from tests.tiny import tiny, tiny_points


def test_a_new_or_empty_directory_may_be_claimed(tmp_path):
    record = runs.make_record(tiny(), None, None)
    assert runs.claim(runs.RunDirectory(tmp_path / "new"), record) is None
    assert runs.claim(runs.RunDirectory(tmp_path), record) is None
    assert list(tmp_path.iterdir()) == []


def test_only_the_length_of_a_run_may_change(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    runs.write_record(directory, runs.make_record(tiny(), None, None))
    longer = runs.make_record(tiny(steps=None, epochs=4), None, None)
    assert runs.claim(directory, longer)["experiment"]["steps"] == 12
    with pytest.raises(RequestError, match="latent_size: 4 -> 5"):
        runs.claim(directory, runs.make_record(tiny(latent_size=5), None, None))


def test_the_run_that_parameters_came_from_may_have_moved_too(tmp_path):
    def started(run):
        return runs.make_record(tiny(), None, {"run": str(tmp_path / run), "partial": False})

    directory = runs.RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    runs.write_record(directory, started("old/base"))
    (tmp_path / "new" / "base").mkdir(parents=True)
    assert runs.claim(directory, started("new/base"))
    with pytest.raises(RequestError, match=r"init_from\.run"):
        runs.claim(directory, started("new/other"))
    (tmp_path / "old" / "base").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"init_from\.run"):
        runs.claim(directory, started("new/base"))


def test_a_path_that_checkpoints_cannot_have_is_refused(tmp_path):
    directory = runs.RunDirectory(tmp_path / "\udcfc")  # a byte that is not UTF-8
    with pytest.raises(RequestError, match=r"need a path in UTF-8, .*set PYTHONUTF8=1"):
        runs.claim(directory, runs.make_record(tiny(), None, None))
    with pytest.raises(RequestError, match="need a path in UTF-8"):
        runs.claim_for_seeds(directory)


NO_NAMES = '{"experiment": {}, "init_from": null, "file": null, "class_names": 3}'


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"learning_rate": 3}', NO_NAMES])
def test_a_config_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(RequestError, match=r"config\.json"):
        runs.claim(runs.RunDirectory(tmp_path), runs.make_record(tiny(), None, None))
    assert (tmp_path / "config.json").read_text() == content


def test_records_say_what_ran_and_with_which_versions(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    file = tmp_path / "experiment.py"
    runs.write_record(directory, runs.make_record(tiny(), file, None))
    record = json.loads(directory.config.read_text())
    assert record["file"] == str(file)
    assert set(VERSIONED) < set(record["versions"])
    assert runs.experiment_of(record, tmp_path) == tiny()


@pytest.mark.parametrize(
    ("recorded", "names"),
    [({"class_names": ["cat", "dog"]}, ("cat", "dog")), ({}, tuple("0123456789"))],
)
def test_class_names_are_those_of_the_record_or_for_earlier_runs_of_the_data(
    tmp_path, recorded, names
):
    directory = runs.RunDirectory(tmp_path)
    record = runs.make_record(tiny(), None, None) | recorded
    assert runs.Run(directory, tiny(), None, record).class_names == names


def test_loading_names_what_is_missing(tmp_path):
    with pytest.raises(RequestError, match=r"no run in .*: there is no such directory"):
        runs.load(tmp_path / "absent")
    with pytest.raises(RequestError, match=r"no run in .*: it has no config.json"):
        runs.load(tmp_path)
    (tmp_path / "first").mkdir()
    runs.write_record(runs.RunDirectory(tmp_path / "first"), runs.make_record(tiny(), None, None))
    with pytest.raises(RequestError, match=r"`gan-jax train` writes; runs in it: first$"):
        runs.load(tmp_path)
    with pytest.raises(RequestError, match="there is no such directory; did you mean 'first'"):
        runs.load(tmp_path / "frist")
    runs.write_record(runs.RunDirectory(tmp_path), runs.make_record(tiny(), None, None))
    with pytest.raises(RequestError, match=r"no checkpoint in .*: there is none yet"):
        runs.load(tmp_path)


def test_of_very_many_changes_ten_are_listed(tmp_path):
    directory = runs.RunDirectory(tmp_path)
    runs.write_record(directory, runs.make_record(tiny(), None, None))
    other = tiny_points(latent_size=7, batch_size=3, save_every=2, log_every=2, sample_every=2)
    with pytest.raises(RequestError) as refused:
        runs.claim(directory, runs.make_record(other, None, None))
    lines = str(refused.value).splitlines()
    assert len(lines) == 12 and lines[-1].startswith("  and ") and lines[-1].endswith(" more")


def test_a_damaged_experiment_is_called_so(tmp_path):
    record = runs.make_record(tiny(), None, None)
    record["experiment"]["generator"] = {"width": 3}
    with pytest.raises(RequestError, match=r"config\.json"):
        runs.experiment_of(record, tmp_path)
