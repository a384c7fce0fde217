"""Code of the user's own in runs: opened where it was trained, elsewhere only if asked for."""

import json
import sys
import types

import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.runs import references, serialisation, trust
from gan_jax.training.train import train
from tests.command_line import gan_jax
from tests.runs.test_strangers import built, called
from tests.tiny import tiny_points

# A project of two modules.
PARTS = """
import dataclasses
from gan_jax.losses import Hinge

@dataclasses.dataclass(frozen=True)
class Neighbour(Hinge):
    pass
"""


OWN = """
import dataclasses
from parts_of_mine import Neighbour
from tests.tiny import tiny_points

@dataclasses.dataclass(frozen=True)
class Mine:
    loss: Neighbour = Neighbour()

    def discriminator(self, real, fake):
        return self.loss.discriminator(real, fake)

    def generator(self, real, fake):
        return self.loss.generator(real, fake)

experiment = tiny_points(loss=Mine(), steps=2)
"""


OWN_MODULES = ("with_own_loss", "parts_of_mine")


@pytest.fixture
def own_run(tmp_path, monkeypatch):
    """A run of an experiment with a class of its own, as another process finds it."""
    folder = tmp_path / "own"
    folder.mkdir()
    file = folder / "with_own_loss.py"
    file.write_text(OWN)
    (folder / "parts_of_mine.py").write_text(PARTS)
    train(serialisation.load_experiment(file), folder / "run", file=file)
    _forget(monkeypatch, folder)
    yield folder / "run"
    for name in OWN_MODULES:
        sys.modules.pop(name, None)
    references.folders.clear()


def _forget(monkeypatch, folder):
    """Makes this process like a new one, as to what it has imported and trusts."""
    for name in OWN_MODULES:
        sys.modules.pop(name, None)
    references.folders.clear()
    monkeypatch.setattr(trust, "_trusted", {})
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(folder)])


def test_own_code_opens_on_the_machine_that_trained_it(own_run):
    assert type(runs.load(own_run).experiment.loss).__name__ == "Mine"


def test_a_file_whose_name_is_no_module_opens_again(own_run, monkeypatch):
    folder = own_run.parent
    file = (folder / "with_own_loss.py").rename(folder / "with-own.loss.py")
    experiment = serialisation.load_experiment(file)
    train(experiment, folder / "other", file=file)
    encoded = serialisation.encode(experiment)
    _forget(monkeypatch, folder)
    opened = runs.load(folder / "other").experiment
    assert type(opened.loss).__module__ == "with_own_loss"
    assert serialisation.encode(opened) == encoded


def test_own_code_of_others_opens_only_if_it_is_asked_for(capsys, own_run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    out = ["--out", tmp_path / "x.png"]
    code, _, err = gan_jax(capsys, "sample", own_run, *out)
    file = own_run.parent / "with_own_loss.py"
    assert code == 2 and "with_own_loss:Mine" in err and str(file) in err and "--trust" in err
    assert "with_own_loss" not in sys.modules
    code, _, err = gan_jax(capsys, "sample", own_run, "--trust", *out)
    assert code == 0 and "trusted from now on: with_own_loss:Mine, parts_of_mine:Neighbour" in err
    _forget(monkeypatch, own_run.parent)
    assert gan_jax(capsys, "sample", own_run, *out)[0] == 0


def test_what_was_trusted_is_not_trusted_once_it_has_changed(own_run, monkeypatch):
    file = own_run.parent / "with_own_loss.py"
    file.write_text(OWN + "raise SystemExit('another hand was here')\n")
    with pytest.raises(RequestError, match=r"has changed since .* give --trust"):
        runs.load(own_run)


def test_training_again_trusts_the_file_as_it_is_now(own_run, monkeypatch):
    file = own_run.parent / "with_own_loss.py"
    file.write_text(OWN + "# a comment\n")
    train(serialisation.load_experiment(file), own_run, file=file)
    _forget(monkeypatch, own_run.parent)
    assert type(runs.load(own_run).experiment.loss).__name__ == "Mine"


def test_a_run_that_moved_alone_opens_with_its_file(capsys, own_run, tmp_path):
    file = own_run.parent / "with_own_loss.py"
    moved, there = tmp_path / "moved", tmp_path / "files" / file.name
    own_run.rename(moved)
    own_run.parent.rename(there.parent)
    out = ["--out", tmp_path / "x.png"]
    for more in ([], ["--trust"]):
        code, _, err = gan_jax(capsys, "sample", moved, *more, *out)
        assert code == 2 and f"{file} no longer exists" in err.replace(", which", "")
        assert "not beside the run either: give its new place with --file" in err
    code, _, err = gan_jax(capsys, "sample", moved, "--file", there, *out)
    assert code == 0, err


@pytest.fixture
def moved(own_run, tmp_path):
    """The run of a project that has moved as a whole."""
    own_run.parent.rename(tmp_path / "moved")
    return tmp_path / "moved" / "run"


def test_a_project_that_moved_opens_once_it_is_trusted_there(capsys, moved, tmp_path, monkeypatch):
    file, out = moved.parent / "with_own_loss.py", ["--out", tmp_path / "x.png"]
    code, _, err = gan_jax(capsys, "sample", moved, *out)
    assert code == 2
    old = tmp_path / "own" / file.name
    assert f"{old}, which no longer exists; {file} has the same content: give --trust" in err
    assert "with_own_loss" not in sys.modules
    for more in (["--trust"], []):
        code, _, err = gan_jax(capsys, "sample", moved, *more, *out)
        assert code == 0, err
        _forget(monkeypatch, moved.parent)


def test_a_file_beside_the_run_with_another_content_is_a_strangers(capsys, moved, monkeypatch):
    file = moved.parent / "with_own_loss.py"
    file.write_text(OWN + "raise SystemExit('another hand was here')\n")
    code, _, err = gan_jax(capsys, "sample", moved)
    assert code == 2 and f"of {file}. Opening it would run that code, and it was not" in err


def test_training_from_the_new_place_trusts_it(capsys, moved, tmp_path, monkeypatch):
    file = moved.parent / "with_own_loss.py"
    before = json.loads((moved / "config.json").read_text())
    train(serialisation.load_experiment(file), moved, file=file)  # which is finished
    assert json.loads((moved / "config.json").read_text()) == before | {"file": str(file)}
    _forget(monkeypatch, moved.parent)
    code, _, err = gan_jax(capsys, "sample", moved, "--out", tmp_path / "x.png")
    assert code == 0, err


@pytest.mark.parametrize(
    "record",
    [
        "[1]",
        "{",
        "[" * 5000,
        '{"settings": [1], "file": null}',
        '{"experiment": {"class": "a:B"}, "file": 3, "init_from": null}',
        '{"experiment": {"class": "a:B"}, "file": [1], "init_from": null}',
        '{"experiment": 7, "file": null, "init_from": null}',
        '{"experiment": {"class": 7}, "file": null, "init_from": null}',
    ],
)
@pytest.mark.parametrize("name", ["config.json", "sweep.json"])
def test_damaged_records_are_refused_with_trust_as_without(capsys, tmp_path, record, name):
    (tmp_path / name).write_text(record)
    for more in ([], ["--trust"]):
        command = ["sweep", tmp_path] if name == "sweep.json" else ["health", tmp_path]
        code, _, err = gan_jax(capsys, *command, *more)
        assert code == 2 and "error:" in err, err


def test_what_an_experiments_file_imports_is_not_its_own(own_run, monkeypatch, tmp_path):
    record = json.loads((own_run / "config.json").read_text())
    for payload in (
        built("with_own_loss:dataclasses.inspect.os.system", "touch PWNED"),
        called("with_own_loss:dataclasses.Field"),
        built("parts_of_mine:dataclasses.make_dataclass", "X", []),
    ):
        record["experiment"]["generator_optimizer"] = payload
        (own_run / "config.json").write_text(json.dumps(record))
        monkeypatch.chdir(tmp_path)
        serialisation.load_file(own_run.parent / "with_own_loss.py")
        with pytest.raises(RequestError):
            runs.load(own_run)
        assert not (tmp_path / "PWNED").exists()


def test_libraries_in_the_folder_of_an_experiment_are_not_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(references, "folders", {tmp_path})
    for place in (".venv/lib/site-packages/a.py", "env/lib/site-packages/a.py", ".tox/a.py"):
        monkeypatch.setitem(sys.modules, "a", types.SimpleNamespace(__file__=f"{tmp_path}/{place}"))
        assert references.not_loaded(["a:B"]) == ["a:B"]
    module = types.SimpleNamespace(__file__=f"{tmp_path}/parts/a.py")
    monkeypatch.setitem(sys.modules, "a", module)
    assert references.not_loaded(["a:B"]) == []


def test_a_state_directory_that_cannot_be_written_is_no_hindrance(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    encoded = {"class": "with_own_loss:Mine"}
    trust.remember(encoded, None)
    assert "--trust" in caplog.text
    assert trust.is_trusted(encoded, None)
    monkeypatch.setattr(trust, "_trusted", {})
    assert not trust.is_trusted(encoded, None)


def test_only_own_code_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trust.remember(serialisation.encode(tiny_points()), None)
    assert list(tmp_path.iterdir()) == []


def test_seeds_and_lengths_are_of_one_trust(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    encoded = serialisation.encode(tiny_points())
    encoded["loss"] = {"class": "with_own_loss:Mine"}
    trust.remember(encoded, None)
    assert trust.is_trusted(encoded | {"seed": 7, "steps": 1000}, None)
    assert not trust.is_trusted(encoded | {"seed": {"class": "with_own_loss:Other"}}, None)
    assert not trust.is_trusted(encoded | {"batch_size": 7}, None)
