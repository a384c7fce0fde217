"""`gan-jax train`: what it trains, what each mistake says, and that the disk stays as it was."""

import typing
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
import pytest

from gan_jax import runs
from gan_jax.cli.train import Train
from gan_jax.runtime import devices
from gan_jax.training import parallel_seeds
from tests.command_line import TINY, gan_jax


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["--batch-siez", "3"], ["Perhaps you meant", "--batch-size INT"]),
        (["--generator.widht", "3"], ["--generator.width INT"]),
        (["--loss", "losses.Hinge"], ["--loss: is a NonSaturating object", "--grid loss=..."]),
        (
            ["--steps", "many"],
            ["--steps", "'many'", "(default: 12)", f"gan-jax train {TINY} --help"],
        ),
        (["--steps", "-3"], ["Experiment.steps = -3: must be at least 1"]),
        (["--batch-size", "50000"], ["batch_size must be between 1 and", "10000, not 50000"]),
        (["--update-order", "alternate"], ["alternate", "alternating"]),
        (["--generator.width", "0"], ["Generator.width = 0: must be at least 1"]),
        (["--data.size", "12"], ["generator makes samples of shape (8, 8, 1)", "(12, 12, 1)"]),
        (["--data.source.split", "tests"], ["'test'"]),
        (["--init-from", "nowhere"], ["no run in nowhere"]),
        (["--steps", "3", "--epochs", "2"], ["give one of the two"]),
    ],
)
def test_wrong_requests_say_what_is_right(capsys, tmp_path, arguments, messages):
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "run", *arguments)
    assert code == 2
    assert all(message in err for message in messages), err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_workdir_that_cannot_be_made(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "file" / "run")
    assert code == 2
    assert "cannot be written" in err
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", tmp_path / "file")
    assert code == 2
    assert "is a file, not a directory" in err


def test_epochs_on_the_command_line_replace_the_steps_of_the_file(capsys, tmp_path):
    code, _, err = gan_jax(
        capsys, "train", TINY, "--workdir", tmp_path / "run", "--epochs", "1", "--batch-size", 5000
    )
    assert code == 0, err
    assert "training 2 steps" in err


def test_the_run_directory_is_named_after_the_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gan_jax(capsys, "train", TINY, "--steps", "1")[0] == 0
    assert (tmp_path / "runs" / "tiny_experiment" / "config.json").is_file()


def test_a_changed_field_is_refused_with_what_differs(capsys, run):
    code, _, err = gan_jax(capsys, "train", TINY, "--workdir", run, "--ema-decay", "0.6")
    assert code == 2
    assert "ema_decay: 0.5 -> 0.6" in err


def test_help_of_an_experiment_lists_its_fields(capsys):
    code, out, _ = gan_jax(capsys, "train", TINY, "--help")
    assert code == 0
    for word in ("PATH", "--workdir", "--generator.width", "--data.source.split", "(default: 12)"):
        assert word in out


def test_dry_run_trains_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = gan_jax(capsys, "train", TINY, "--dry-run", "--generator.width", "4")
    assert code == 0
    assert "width = 4" in out
    assert "float32[1,8,8,1]" in "".join(out.split())
    assert "memory of a step" in out
    assert list(tmp_path.iterdir()) == []


class Dense(nn.Module):
    """A generator with a field that holds a function."""

    activation: Callable = nn.relu

    @nn.compact
    def __call__(self, latent, condition=None, *, training):
        return self.activation(nn.Dense(64)(latent)).reshape(-1, 8, 8, 1)


def test_functions_are_given_by_name(capsys, tmp_path):
    file = tmp_path / "with_a_function.py"
    file.write_text(
        "from tests.cli.test_train import Dense\n"
        "from tests.tiny import tiny\n"
        "experiment = tiny(generator=Dense())\n"
    )
    arguments = ("train", file, "--workdir", tmp_path / "run", "--generator.activation")
    code, _, err = gan_jax(capsys, *arguments, "jax.numpy:tanhh")
    assert code == 2
    assert "jax.numpy:tanhh" in err
    code, _, err = gan_jax(capsys, *arguments, "jax.numpy:tanh")
    assert code == 0, err
    assert runs.load(tmp_path / "run").experiment.generator == Dense(jnp.tanh)


def test_the_strategies_are_those_that_there_are():
    hints = typing.get_type_hints(Train)
    assert typing.get_args(hints["strategy"]) == typing.get_args(parallel_seeds.Strategy)


def test_train_several_seeds(capsys, tmp_path):
    code, _, err = gan_jax(
        capsys, "train", TINY, "--seeds", "0:2", "--strategy", "map", "--workdir", tmp_path
    )
    assert code == 0
    for seed in (0, 1):
        assert f"finished: {tmp_path / f'seed_{seed}'}" in err
        assert runs.load(tmp_path / f"seed_{seed}").experiment.seed == seed
    assert f"pictures: {tmp_path}/seed_*/samples/final.png, film_strip.png" in err


def test_several_seeds_share_one_heap(capsys, monkeypatch):
    called = []
    monkeypatch.setattr(devices, "use_one_heap", lambda: called.append(True))
    gan_jax(capsys, "train", TINY, "--seeds", "0:2", "--workdir", TINY)
    assert called


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0:2:4"], "give 0:8 for the seeds 0 to 7"),
        (["--seeds", "1,1"], "1 is given twice"),
        (["--seeds", "0:2", "--seed", "5"], "--seed and --seeds: give one of the two"),
        (["--strategy", "map"], "--strategy: needs --seeds"),
        (["--init-partial"], "--init-partial: needs --init-from"),
        (["--init-players=generator"], "--init-players: needs --init-from"),
    ],
)
def test_wrong_seeds_and_options_without_what_they_need_are_refused(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code, _, err = gan_jax(capsys, "train", TINY, *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--generator.width", 10**8], "generator = Generator(width=100000000, "),
        (["--batch-size", 10**9], "a batch of batch_size = 1000000000 samples of [8, 8, 1] takes"),
    ],
)
def test_more_than_fits_into_memory_is_refused_and_nothing_is_written(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.setattr(devices, "memory_bytes", lambda: 2**34)
    code, _, err = gan_jax(capsys, "train", TINY, *arguments, "--workdir", tmp_path / "run")
    assert code == 2 and err.startswith(f"error: {message}")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_what_no_device_holds(capsys):
    code, _, err = gan_jax(capsys, "train", TINY, "--dry-run", "--generator.width", 10**8)
    assert code == 2 and "training needs at least 26 EiB, and the memory of a device is 64" in err
