import functools
import json
import os
import sys
import textwrap

import optax
import pytest

from gan_jax import losses, penalties
from gan_jax.common.errors import RequestError
from gan_jax.data import images
from gan_jax.optimizers import Adam, from_optax
from gan_jax.runs import serialisation
from tests.tiny import tiny


def through_json(value):
    return serialisation.decode(json.loads(json.dumps(serialisation.encode(value))))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": losses.Minimax(0.1), "penalties": (penalties.R1(0.3), penalties.R1(2.0))},
        {"generator_optimizer": from_optax(optax.rmsprop, learning_rate=1e-3)},
        {
            "discriminator_optimizer": Adam(
                schedule=from_optax(optax.cosine_decay_schedule, init_value=1.0, decay_steps=100)
            )
        },
        {
            "generator_optimizer": from_optax(
                optax.chain,
                from_optax(optax.clip_by_global_norm, 1.0),
                Adam(
                    schedule=from_optax(
                        optax.piecewise_constant_schedule,
                        init_value=1.0,
                        boundaries_and_scales={10: 0.5},
                    )
                ),
            )
        },
        {"steps": None, "epochs": 7, "ema_decay": 0.1 + 0.2},
    ],
)
def test_experiments_survive_json(changes):
    assert through_json(tiny(**changes)) == tiny(**changes)


def test_what_cannot_be_found_again_is_refused():
    with pytest.raises(RequestError, match="define it by name at the top level"):
        serialisation.encode(from_optax(lambda: None))
    with pytest.raises(RequestError, match="define it by name at the top level"):
        serialisation.encode(functools.partial(print, end=""))


def test_a_field_that_is_gone_is_named():
    encoded = serialisation.encode(losses.Minimax()) | {"smoothness": 3}
    with pytest.raises(
        RequestError, match=r"gan_jax.losses:Minimax no longer takes the fields.*smoothness"
    ):
        serialisation.decode(encoded)


def test_a_class_that_is_gone_is_named():
    with pytest.raises(RequestError, match=r"gan_jax\.losses:Maximin no longer exists"):
        serialisation.decode({"class": "gan_jax.losses:Maximin"})


def test_a_field_that_was_renamed_is_read():
    earlier = {"class": "gan_jax.losses:TopK", "loss": None, "share": 0.75}
    encoded = serialisation.encode(losses.TopK(fraction=0.75))
    assert serialisation.up_to_date(earlier | {"loss": encoded["loss"]}) == encoded


def test_differences_name_the_fields():
    old = serialisation.encode(tiny())
    new = serialisation.encode(tiny(seed=3, loss=losses.Minimax(), penalties=(penalties.R1(),)))
    found = serialisation.differences(old, new)
    assert "seed: 0 -> 3" in found
    assert "loss.class: 'gan_jax.losses:NonSaturating' -> 'gan_jax.losses:Minimax'" in found
    assert any(line.startswith("penalties: [] -> ") for line in found)
    assert len(found) == 3
    assert serialisation.differences(old, old) == []


def write(folder, name, text):
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def test_one_experiment_file_can_start_from_another(tmp_path):
    write(tmp_path, "base_of_two.py", "from tests.tiny import tiny\nexperiment = tiny()\n")
    path = write(
        tmp_path,
        "second_of_two.py",
        """
        import dataclasses
        from base_of_two import experiment as base
        experiment = dataclasses.replace(base, seed=5)
        """,
    )
    assert serialisation.load_experiment(path) == tiny(seed=5)


def test_classes_of_the_experiment_file_survive_json(tmp_path):
    path = write(
        tmp_path,
        "with_another_loss.py",
        """
        import dataclasses
        from gan_jax.losses import Minimax
        from tests.tiny import tiny

        @dataclasses.dataclass(frozen=True)
        class Mine(Minimax):
            strength: float = 2.0

        experiment = tiny(loss=Mine(strength=3.0))
        """,
    )
    experiment = serialisation.load_experiment(path)
    assert through_json(experiment) == experiment
    assert through_json(experiment).loss.strength == 3.0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("nothing.py", "x = 1", "must define `experiment = Experiment"),
        ("number.py", "experiment = 3", "it has int"),
        ("raises.py", "x = 1\n1 / 0", "line 2 raises ZeroDivisionError: division by zero"),
        ("syntax.py", "x = (", "line 1 raises SyntaxError"),
        ("leaves.py", "raise SystemExit(3)", "raises SystemExit: 3"),
        ("json.py", "x = 1", "has the name of another module, json: rename it, for example to "),
        ("j-s.o n.py", "x = 1", "must define `experiment = Experiment"),
        (
            "wrong.py",
            "from tests.tiny import tiny\n\nexperiment = tiny(batch_size=-3)",
            "line 3: Experiment.batch_size = -3: must be at least 1",
        ),
    ],
)
def test_wrong_experiment_files_are_named(tmp_path, name, text, message):
    with pytest.raises(RequestError) as error:
        serialisation.load_experiment(write(tmp_path, name, text))
    assert message in str(error.value)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "module"),
    [("two-words.py", "two_words"), ("2nd.py", "_2nd"), ("v1.2 b.py", "v1_2_b"), ("ü.py", "ü")],
)
def test_a_file_may_have_any_name(tmp_path, name, module):
    path = write(tmp_path, name, "from tests.tiny import tiny\nexperiment = tiny()\n")
    try:
        assert serialisation.load_file(path) is serialisation.load_file(path)
        assert serialisation.load_file(path).__name__ == module
    finally:
        sys.modules.pop(module, None)


def test_what_is_advised_for_a_name_that_is_taken_works(tmp_path):
    for name in ("a_b.py", "a_b_2.py", "a-b.py"):
        write(tmp_path, name, "from tests.tiny import tiny\nexperiment = tiny()\n")
    with pytest.raises(RequestError, match=r"module, a_b: rename it, for example to a_b_3\.py$"):
        serialisation.load_experiment(tmp_path / "a-b.py")
    (tmp_path / "a-b.py").rename(tmp_path / "a_b_3.py")
    assert serialisation.load_experiment(tmp_path / "a_b_3.py") == tiny()
    del sys.modules["a_b_3"]


def test_a_missing_file_names_the_nearest(tmp_path):
    write(tmp_path, "quickstart.py", "")
    with pytest.raises(RequestError, match=r"did you mean .*quickstart.py"):
        serialisation.load_experiment(tmp_path / "quickstat.py")


@pytest.mark.usefixtures("in_time")
def test_an_experiment_that_is_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "made.py")
    with pytest.raises(RequestError, match=r"made\.py is a FIFO, not a regular file"):
        serialisation.load_experiment(tmp_path / "made.py")


@pytest.mark.parametrize("described", [images.folder("photos", 32), images.tfds("mnist")])
def test_runs_from_before_the_limit_on_pixels_are_the_same_experiment(described):
    now = serialisation.encode(described)
    before = json.loads(json.dumps(now))
    del before["source"]["most_pixels"]
    assert serialisation.up_to_date(before) == now
