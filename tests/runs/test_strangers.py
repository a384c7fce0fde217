"""Runs that a stranger wrote: nothing of theirs is imported or called, whatever opens them."""

import json
import shutil
import sys
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

from gan_jax import runs
from gan_jax.common.errors import RequestError
from gan_jax.optimizers import from_optax
from gan_jax.runs import references, serialisation
from gan_jax.sweeps import plan
from tests.command_line import TINY, gan_jax
from tests.tiny import tiny

TOUCH = "touch PWNED"


def called(reference, **arguments):
    return {"class": reference, **arguments}


def built(function, *positional, **arguments):
    """What would call a function once the optimizer is built."""
    pairs = [[name, value] for name, value in arguments.items()]
    return {
        "class": "gan_jax.optimizers:FromOptax",
        "function": {"function": function},
        "positional": list(positional),
        "arguments": {"dict": pairs},
    }


# What stands in the place of a field of the experiment.
PAYLOADS = {
    "os.system": called("os:system", command=TOUCH),
    "posix.system": called("posix:system", command=TOUCH),
    "Popen": called("subprocess:Popen", args=TOUCH, shell=True),
    "run": called("subprocess:run", args=TOUCH, shell=True),
    "rmtree": called("shutil:rmtree", path="victim"),
    "Path": called("pathlib:Path.touch", self="PWNED"),
    "eval": called("builtins:eval", source="open('PWNED', 'w')"),
    "exec": called("builtins:exec", source="open('PWNED', 'w')"),
    "open": called("builtins:open", file="PWNED", mode="w"),
    "pickle": called("pickle:loads", data="cposix\nsystem\n(S'touch PWNED'\ntR."),
    "a module that acts when imported": called("evil:Anything"),
    "a function of such a module": {"function": "evil:anything"},
    "an own class of the experiment's file": called("evil_experiment:Own"),
    "a module of the package that acts when imported": called("gan_jax.__main__:main"),
    "a command": called("gan_jax.cli.main:main", arguments=["features", "inception"]),
    "what a module of the package imports": called("gan_jax.sweeps.launch:subprocess.Popen"),
    "the same by another way": called("gan_jax.optimizers:dataclasses.make_dataclass"),
    "a class that is not a dataclass": called("gan_jax.data.sources.decode:UnreadableError"),
    "a dataclass outside of experiments": called("gan_jax.runs:RunDirectory", path="."),
    "a function of the package": called("gan_jax.training.train:train", experiment=None),
    "a function where a class belongs": called("optax:adam", learning_rate=1.0),
    "a class of JAX": called("jax:ShapeDtypeStruct", shape=[], dtype="int8"),
    "files that JAX reads": built("jax.numpy:load", "evil.npy"),
    "files that JAX writes": built("jax.numpy:save", "PWNED", 0),
    "the same by its private name": built("jax._src.numpy.lax_numpy:load", "evil.npy"),
    "what JAX imports": built("jax._src.numpy.lax_numpy:os.system", TOUCH),
    "a callback": built("jax:pure_callback"),
    "a profiler": built("jax.profiler:start_trace", "PWNED"),
    "files that Flax reads": built("flax.training.checkpoints:restore_checkpoint", "."),
    "os.system as a value": built("os:system", TOUCH),
    "a feature network by its name": built("gan_jax.features.named:from_text", "evil:anything"),
    "attributes by the way of JAX": built(
        "jax._src.lax.control_flow.loops:tree_map",
        built("jax._src.lax.lax:_attrgetter", "__globals__"),
        {"function": "jax._src.lax.control_flow.common:_typecheck_param"},
    ),
    "a function that calls functions": built("optax:tree_map_params", 1, {"function": "a:b"}),
    "a special name": built("optax:__getattr__", "x"),
    "an optimizer that is none": built("jax.numpy:sum", 1),
    "what optax imports": built("optax:chex.dataclass", 1),
    "a download": built("gan_jax.features.inception_v3:download", "PWNED"),
    "special names": {"function": "gan_jax.losses:Minimax.__init__.__globals__"},
    "a class's module": called("gan_jax.losses:__builtins__.eval", source="1"),
    "no name": called("gan_jax.losses:"),
    "no module": called(":system"),
    "a name with a path": called("../evil:Anything"),
    "a reference that is a list": {"class": ["os", "system"]},
    "a reference that is a number": {"function": 7},
    "a function with arguments": {"function": "jax.nn:relu", "class": "os:system"},
    "an object of no kind": {"module": "os"},
    "a dictionary that is none": {"dict": {"a": 1}},
}


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


PAYLOADS["deep nesting"] = nested(900)


@pytest.fixture
def stranger(tmp_path, monkeypatch, run):
    """Makes a copy of a run in which a field holds a payload, beside files that act when run."""

    def make(payload, field="loss"):
        path = tmp_path / "stranger"
        shutil.copytree(run, path / "run", dirs_exist_ok=True)
        acting = "open('PWNED', 'w').close()\nexperiment = Own = Anything = anything = int\n"
        for folder in (path, path / "run"):
            for name in ("evil.py", "evil_experiment.py"):
                (folder / name).write_text(acting)
        (path / "evil.npy").write_bytes(b"\x93NUMPY\x01\x00")
        (path / "victim").mkdir(exist_ok=True)
        config = path / "run" / "config.json"
        record = json.loads(config.read_text())
        record["experiment"][field] = payload
        record["file"] = str(path / "evil_experiment.py")
        config.write_text(json.dumps(record))
        sweep = path / "sweep"
        sweep.mkdir(exist_ok=True)
        settings = {"a": record["experiment"]}
        planned = {"settings": settings, "seeds": [0], "file": record["file"]}
        (sweep / "sweep.json").write_text(json.dumps(planned))
        seed = sweep / "a" / "seed_0"
        seed.mkdir(parents=True, exist_ok=True)
        shutil.copy(config, seed / "config.json")
        monkeypatch.chdir(path)
        return path

    imported, searched = set(sys.modules), list(sys.path)
    yield make
    sys.path[:] = searched
    assert not {"evil", "evil_experiment"} & (set(sys.modules) - imported)
    assert not (tmp_path / "stranger" / "PWNED").exists()
    assert (tmp_path / "stranger" / "victim").exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_nothing_of_a_payload_runs(capsys, stranger, name):
    stranger(PAYLOADS[name])
    with pytest.raises(RequestError):
        runs.load("run")
    with pytest.raises(RequestError):
        plan.read(plan.SweepDirectory(Path("sweep")))
    assert_refused(capsys, ["sample", "run", "--out", "x.png"])


COMMANDS = (
    ["score", "run", "a.png"],
    ["evaluate", "run"],
    ["recognise", "run"],
    ["health", "run"],
    ["compare", "run"],
    ["compare", "sweep"],
    ["evaluate", "sweep"],
    ["sweep", "sweep", "--status"],
    ["sweep", "sweep"],
    ["train", TINY, "--workdir", "new", "--init-from", "run"],
)


FEW = ("os.system", "a module that acts when imported", "files that JAX reads")


@pytest.mark.parametrize(
    "name",
    [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in PAYLOADS],
)
def test_nothing_of_a_payload_runs_whatever_opens_it(capsys, stranger, name):
    path = stranger(PAYLOADS[name])
    (path / "a.png").write_bytes(b"")
    for arguments in COMMANDS:
        assert_refused(capsys, arguments)


def assert_refused(capsys, arguments):
    code, _, err = gan_jax(capsys, *arguments)
    assert code == 2, (arguments, err)
    assert "error:" in err and "Traceback" not in err, (arguments, err)


@pytest.mark.parametrize("field", ["generator", "data", "penalties", "features", "seed", "guard"])
def test_every_field_is_checked(stranger, field):
    payload = PAYLOADS["os.system"]
    stranger([payload] if field == "penalties" else payload, field)
    with pytest.raises(RequestError, match="os:system"):
        runs.load("run")


@pytest.mark.parametrize("name", ["../../outside", "..", ".", "", "a/b", "a\0b", "/etc"])
def test_configurations_of_a_sweep_stay_in_it(tmp_path, name):
    encoded = serialisation.encode(tiny())
    record = {"settings": {name: encoded}, "seeds": [0], "file": None}
    (tmp_path / "sweep.json").write_text(json.dumps(record))
    with pytest.raises(RequestError, match="is not the name of a configuration"):
        plan.read(plan.SweepDirectory(tmp_path))


@pytest.mark.parametrize(
    "value",
    [
        from_optax(optax.adam, learning_rate=from_optax(optax.linear_schedule, 1.0, 0.0, 10)),
        from_optax(optax.chain, from_optax(optax.clip_by_global_norm, 1.0)),
        {"activation": jnp.tanh},
    ],
)
def test_what_experiments_are_made_of_is_admitted(value):
    encoded = json.loads(json.dumps(serialisation.encode(value)))
    assert references.check(encoded) == []
    assert serialisation.decode(encoded) == value
