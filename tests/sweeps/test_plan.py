"""The plan of a sweep: what is written, read back, added to, and refused."""

import dataclasses
import json

import pytest

from gan_jax.common.errors import BusyError, RequestError
from gan_jax.networks import mlp
from gan_jax.sweeps import plan
from gan_jax.sweeps.plan import Sweep, SweepDirectory
from tests.tiny import tiny_points

CONFIGURATIONS = {name: tiny_points(latent_size=size) for name, size in (("fast", 3), ("other", 5))}


@pytest.fixture
def directory(tmp_path):
    return SweepDirectory(tmp_path / "sweep")


def prepared(directory, **changes):
    return plan.prepare(directory, Sweep(CONFIGURATIONS | changes, (0, 1), None))


def test_a_sweep_that_is_read_back_is_the_same(directory):
    whole = prepared(directory)
    assert plan.read(directory) == whole


def test_the_file_of_a_plan_has_the_names_that_earlier_versions_read_and_wrote(directory):
    prepared(directory)
    written = json.loads(directory.plan.read_bytes())
    assert written.keys() == {"settings", "seeds", "file", "command", "git"}
    assert written["settings"].keys() == {"fast", "other"}


def test_what_cannot_be_prepared_is_refused_and_changes_nothing(directory):
    wrong = tiny_points(generator=mlp.Generator(dimensions=3))
    with pytest.raises(RequestError, match="configuration wrong: "):
        plan.prepare(directory, Sweep({"wrong": wrong}, (0,), None))
    assert not directory.path.exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_text(""), "is a file, not a directory"),
        (lambda path: (path / "stranger").mkdir(parents=True), "something other than a sweep"),
    ],
)
def test_other_directories_are_refused(directory, make, message):
    make(directory.path)
    with pytest.raises(RequestError, match=message):
        prepared(directory)


def test_a_configuration_that_is_another_experiment_now_is_refused(directory):
    prepared(directory)
    before = directory.plan.read_bytes()
    with pytest.raises(RequestError, match="latent_size: 5 -> 6"):
        prepared(directory, other=tiny_points(latent_size=6))
    assert directory.plan.read_bytes() == before


def test_damaged_and_missing_plans_are_refused(directory):
    with pytest.raises(RequestError, match="there is no such directory"):
        plan.read(directory)
    directory.path.mkdir()
    with pytest.raises(RequestError, match="has no sweep"):
        plan.read(directory)
    for damaged in ("{", "[]", '{"file": null}', '{"file": null, "settings": 3, "seeds": []}'):
        directory.plan.write_text(damaged)
        with pytest.raises(RequestError, match="is not the plan of a sweep"):
            plan.read(directory)


def test_one_process_drives_a_sweep(directory):
    prepared(directory)
    with (
        plan.driving(directory),
        pytest.raises(BusyError, match="another process"),
        plan.driving(directory),
    ):
        pass


def test_a_configuration_of_another_name_is_refused(directory):
    whole = prepared(directory)
    assert list(plan.only(whole, ["fast"]).configurations) == ["fast"]
    with pytest.raises(
        RequestError, match="no configuration fats in the sweep; did you mean 'fast'"
    ):
        plan.only(whole, ["fats"])


def test_other_data_are_refused_unless_the_sweep_is_about_data(directory):
    prepared(directory)
    fewer = tiny_points(data=dataclasses.replace(CONFIGURATIONS["fast"].data, count=100))
    with pytest.raises(RequestError, match="of other data than the configuration later"):
        prepared(directory, later=fewer)
    assert list(plan.read(directory).configurations) == ["fast", "other"]
    assert "data.count=100" in prepared(directory, **{"data.count=100": fewer}).configurations
    assert "later" in prepared(directory, later=fewer).configurations
