import json
import sys

import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.runs import environment, record
from gan_jax.runs.environment import DRAWS, OtherDrawsError, announcement, check_draws
from gan_jax.runs.serialisation import encode, load_experiment
from gan_jax.training.outcome import Outcome
from gan_jax.training.train import train
from tests.tiny import tiny_points

OWN = """
import dataclasses
from own_helper_{n} import scale
from tests.tiny import tiny_points

@dataclasses.dataclass(frozen=True)
class Loss:
    def discriminator(self, real, fake):
        return scale * (fake - real)

    def generator(self, real, fake):
        return -scale * fake

experiment = tiny_points(loss=Loss())
"""


@pytest.fixture
def own(tmp_path):
    """An experiment file with a loss of its own, which imports a module beside it."""
    number = f"{abs(hash(tmp_path)):x}"
    helper = tmp_path / f"own_helper_{number}.py"
    helper.write_text("scale = 1.0\n")
    file = tmp_path / f"own_{number}.py"
    file.write_text(OWN.replace("{n}", number))
    yield file, helper
    for path in (file, helper):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def stopped(tmp_path):
    """A run of 5 of 12 steps."""
    train(tiny_points(steps=5), tmp_path / "run")
    return tmp_path / "run"


def rewrite(path, change):
    """Changes the record of a run."""
    found = json.loads((path / "config.json").read_text())
    change(found)
    (path / "config.json").write_text(json.dumps(found))
    return found


@pytest.mark.parametrize("name", DRAWS)
def test_other_random_draws_are_refused_unless_accepted(stopped, name, capsys):
    def change(found):
        found["environment"][name] = "another"

    rewrite(stopped, change)
    before = {path.name: path.stat().st_mtime_ns for path in stopped.iterdir()}
    with pytest.raises(OtherDrawsError, match=rf"{name}: 'another' -> [\s\S]*--accept-changes"):
        train(tiny_points(), stopped)
    assert {path.name: path.stat().st_mtime_ns for path in stopped.iterdir()} == before
    assert train(tiny_points(), stopped, accept_changes=True) is Outcome.FINISHED
    assert f"{name} 'another' -> " in capsys.readouterr().err
    train(tiny_points(steps=14), stopped)  # what was accepted is not asked again
    assert "changed since" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (
            "environment",
            {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"},
            "XLA_FLAGS '--xla_cpu_enable_fast_math=true' -> '",
        ),
        ("environment", {"jax_disable_jit": True}, "jax_disable_jit True -> False"),
        ("devices", ["TPU v4"] * 8, "devices 8 x TPU v4 -> cpu"),
        ("versions", {"jax": "0.4.0", "python": "3.9"}, "jax '0.4.0' -> '0."),
        ("versions", {"jax": "0.4.0", "python": "3.9"}, ", python '3.9' -> '3."),
        ("sources", {"gan_jax": "0"}, "code of gan_jax"),
        ("sources", 7, ": not recorded: code"),
        ("environment", None, ": not recorded: settings of JAX"),
        ("environment", {"jax_numpy_dtype_promotion": "strict"}, "'strict' -> 'standard'"),
    ],
)
def test_what_may_change_the_bits_is_said_in_one_line(part, value, said):
    now = runs.make_record(tiny_points(), None, None)
    earlier = now | {part: now[part] | value if isinstance(value, dict) else value}
    message = announcement(earlier, now, step=5)
    assert message.startswith("warning: from here on the run's bits may differ from those of an")
    assert said in message
    assert "\n" not in message and "<" not in message


def test_what_has_changed_is_said_and_logged_when_a_run_resumes(stopped, capsys):
    rewrite(stopped, lambda found: found.update(devices=["TPU v4"] * 8))
    train(tiny_points(), stopped)
    said = "(recorded -> now): devices 8 x TPU v4 -> cpu\n"
    assert capsys.readouterr().err.count(said) == 1
    assert said in (stopped / "log.txt").read_text()


def test_nothing_is_said_where_nothing_has_changed(stopped, capsys):
    train(tiny_points(), stopped)
    assert "warning" not in capsys.readouterr().err


def test_flags_that_only_count_devices_are_no_setting(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--b=1 --xla_force_host_platform_device_count=8 --a=1")
    assert environment.settings()["XLA_FLAGS"] == "--a=1 --b=1"


def test_a_record_without_settings_resumes(stopped, capsys):
    def forget(found):
        del found["environment"], found["sources"]

    rewrite(stopped, forget)
    assert train(tiny_points(), stopped) is Outcome.FINISHED
    assert "not recorded: settings of JAX, code\n" in capsys.readouterr().err
    assert runs.read_record(runs.RunDirectory(stopped))["resumed"][0]["environment"]


@pytest.mark.parametrize("edited", [0, 1])
def test_edited_code_is_said(own, tmp_path, edited, capsys):
    experiment = load_experiment(own[0])
    train(experiment, tmp_path / "run", file=own[0])
    own[edited].write_text(own[edited].read_text() + "\n# edited\n")
    longer = load_experiment(own[0]).__class__(**{**vars(experiment), "steps": 14})
    train(longer, tmp_path / "run", file=own[0])
    said = capsys.readouterr().err
    assert f"code of {own[edited].name}\n" in said
    assert own[1 - edited].name not in said.partition("bits may differ")[2].partition("\n")[0]


def test_sources_are_those_of_the_experiments_own_code(own):
    experiment = load_experiment(own[0])
    assert set(environment.sources(encode(experiment), own[0])) == {
        own[0].name,
        own[1].name,
        "gan_jax",
    }


def test_sources_have_the_packages_beside_the_experiment(tmp_path, monkeypatch):
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "inner.py").touch()
    (tmp_path / "no_init").mkdir()
    (tmp_path / "no_init" / "losses.py").touch()
    elsewhere = tmp_path.with_name(f"{tmp_path.name}_elsewhere")
    elsewhere.mkdir()
    (elsewhere / "outside.py").touch()  # a package may have a part of itself elsewhere
    (package / "__init__.py").write_text(
        f"__path__.append({str(elsewhere)!r})\nfrom . import inner, outside\n"
    )
    file = tmp_path / "with_package.py"
    file.write_text(
        "import own_package, no_init.losses\n"
        "from tests.tiny import tiny_points\nexperiment = tiny_points()\n"
    )
    experiment = load_experiment(file)
    try:
        found = environment.sources(encode(experiment), file)
    finally:
        for name in [name for name in sys.modules if name.startswith(("own_package", "no_init"))]:
            sys.modules.pop(name)
        sys.modules.pop("with_package", None)
    inside = {"own_package/__init__.py", "own_package/inner.py", "no_init/losses.py"}
    assert set(found) == {"with_package.py", "gan_jax"} | inside


@pytest.mark.parametrize("name", ["best", "samples", "checkpoints", "tensorboard"])
def test_a_file_where_a_folder_belongs_is_refused(tmp_path, name):
    train(tiny_points(steps=5), tmp_path / "run")
    path = tmp_path / "run" / name
    if path.is_dir():
        path.rename(tmp_path / "aside")
    path.touch()
    with pytest.raises(RequestError, match=f"{name} is not a folder: move it away"):
        train(tiny_points(), tmp_path / "run")


def test_changes_are_counted_from_the_start_that_made_the_checkpoint():
    now = {"devices": ["cpu"]}
    resumed = [{"devices": ["tpu"], "step": 5}, {"devices": ["cpu"], "step": 9}]
    earlier = {"devices": ["gpu"], "resumed": resumed}
    assert announcement(earlier, now, step=12) is None
    assert "devices tpu -> cpu" in announcement(earlier, now, step=9)  # the last has saved nothing
    assert "devices gpu -> cpu" in announcement(earlier, now, step=5)


def test_a_setting_that_was_not_recorded_had_its_usual_value(stopped):
    def forget(found):
        del found["environment"]["jax_random_seed_offset"]

    earlier = rewrite(stopped, forget)
    record = runs.make_record(tiny_points(), None, None)
    assert announcement(earlier, record, step=5) is None
    check_draws(earlier, record, stopped, step=5)
    record["environment"]["jax_random_seed_offset"] = 7
    with pytest.raises(OtherDrawsError, match="jax_random_seed_offset: 0 -> 7"):
        check_draws(earlier, record, stopped, step=5)


def test_a_record_holds_settings_and_sources_of_each_start(stopped):
    train(tiny_points(), stopped)
    found = runs.read_record(runs.RunDirectory(stopped))
    for start in (found, *found["resumed"]):
        assert set(record.OF_A_START) <= set(start)
