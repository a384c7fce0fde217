import gc
import json
import os
import shutil

import jax
import jax.numpy as jnp
import pytest
import tensorstore

from benchmarks.torture import damage
from gan_jax.common.errors import RequestError
from gan_jax.runs import checkpoints
from tests.states import assert_same_bits

STATE = {
    "weights": jnp.arange(1000.0),
    "half": jnp.ones(3, jnp.bfloat16),
    "key": jax.random.key(3),
    "step": jnp.int32(7),
    "nothing": None,
    "pair": (jnp.array([True, False]), {}),
}


def template(state):
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=device), state
    )


def saved(directory, *steps, keep=10):
    with checkpoints.Checkpointer(directory, keep) as saver:
        for step in steps:
            saver.save(step, STATE | {"step": jnp.int32(step)})
    return directory


def flip_a_bit(directory):
    files = [path for path in (directory / "state").rglob("*") if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    damage.flip_a_bit(largest)


def test_every_kind_of_leaf_comes_back_with_its_bits(tmp_path):
    state = checkpoints.load(saved(tmp_path, 7), 7, template(STATE))
    assert_same_bits(state, STATE)


def test_only_the_newest_stay(tmp_path):
    assert checkpoints.steps(saved(tmp_path, 1, 5, 9, 13, keep=2)) == [9, 13]
    assert checkpoints.steps(tmp_path / "nowhere") == []


def test_the_state_may_be_donated_while_it_is_saved(tmp_path):
    state = {"x": jnp.arange(100_000.0)}
    spend = jax.jit(lambda s: jax.tree.map(lambda x: x * 0 - 1, s), donate_argnums=0)
    with checkpoints.Checkpointer(tmp_path, 3) as saver:
        saver.save(1, state)
        spend(state)
    loaded = checkpoints.load(tmp_path, 1, template({"x": jnp.zeros(100_000)}))
    assert_same_bits(loaded, {"x": jnp.arange(100_000.0)})


def test_saves_leave_no_files_open_and_no_threads(tmp_path):
    with checkpoints.Checkpointer(tmp_path, 2) as saver:
        saver.save(0, STATE)
        saver.wait()
        before = len(os.listdir("/proc/self/fd"))
        for step in range(1, 12):
            saver.save(step, STATE)
        saver.wait()
        assert len(os.listdir("/proc/self/fd")) <= before + 5


def test_saves_hold_no_objects(tmp_path):
    with checkpoints.Checkpointer(tmp_path, 2) as saver:
        counts = []
        for step in range(1, 31):
            saver.save(step, STATE)
            saver.wait()
            if step % 10 == 0:
                gc.collect()
                counts.append(len(gc.get_objects()))
    assert counts[2] - counts[1] <= 50  # of 10 saves; TensorStore's metrics alone would be 200


def test_a_flipped_bit_is_noticed_and_an_older_step_taken(tmp_path):
    saved(tmp_path, 1, 2, 3)
    flip_a_bit(tmp_path / "3")
    (tmp_path / "4").mkdir()
    said = []
    step, state = checkpoints.load_newest_intact(tmp_path, template(STATE), said.append)
    assert step == 2
    assert_same_bits(state, STATE | {"step": jnp.int32(2)})
    assert (tmp_path / "corrupt-3").is_dir() and (tmp_path / "corrupt-4").is_dir()
    assert len(said) == 2
    saved(tmp_path, 3)
    assert checkpoints.load_newest_intact(tmp_path, template(STATE), said.append)[0] == 3


@pytest.mark.usefixtures("in_time")
def test_a_fifo_is_damage_and_not_waited_for(tmp_path):
    saved(tmp_path, 1, 2)
    file = tmp_path / "2" / "_CHECKPOINT_METADATA"
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(checkpoints.DamagedError, match="METADATA is a FIFO, not a regular file"):
        checkpoints.load(tmp_path, 2, template(STATE))
    assert checkpoints.load_newest_intact(tmp_path, template(STATE), [].append)[0] == 1


@pytest.mark.parametrize("content", ["[1]", '"text"', "7"])
def test_an_older_checkpoint_with_unreadable_metadata_is_set_aside(tmp_path, content):
    (saved(tmp_path, 1, 2) / "1" / "_CHECKPOINT_METADATA").write_text(content)
    said = []
    assert checkpoints.load_newest_intact(tmp_path, template(STATE), said.append)[0] == 2
    assert checkpoints.steps(tmp_path) == [2]
    assert "checkpoint damaged, kept as corrupt-1" in said[0]
    saved(tmp_path, 3)
    assert checkpoints.steps(tmp_path) == [2, 3]


def rewrite(path, change):
    """Changes the checksums in a checkpoint's metadata, and writes the checksum that they have."""
    file = path / "_CHECKPOINT_METADATA"
    content = json.loads(file.read_text())
    metadata = content["custom_metadata"]
    metadata["digests"] = change(metadata["digests"])
    metadata["checksum"] = checkpoints._checksum(metadata["digests"])
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("digests", [[], {"step": 7}, {"step": ["int32[]"]}, {"step": [1, "a"]}])
def test_checksums_of_another_form_are_damage(tmp_path, digests):
    rewrite(saved(tmp_path, 1) / "1", lambda _: digests)
    with pytest.raises(checkpoints.DamagedError, match="not those of arrays"):
        checkpoints.load(tmp_path, 1, template(STATE))


def test_the_order_of_checksums_does_not_matter(tmp_path):
    rewrite(saved(tmp_path, 1) / "1", lambda found: dict(reversed(found.items())))
    assert_same_bits(checkpoints.load(tmp_path, 1, template(STATE)), STATE | {"step": jnp.int32(1)})


def test_saving_does_not_ask_for_figures_that_leak_memory(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        tensorstore, "experimental_collect_matching_metrics", lambda *_, **__: asked.append(1)
    )
    saved(tmp_path, 1)
    assert not asked


def test_changed_names_are_damage_no_other_network(tmp_path):
    saved(tmp_path, 1, 2)
    file = tmp_path / "2" / "_CHECKPOINT_METADATA"
    changed = file.read_text().replace('"weights"', '"weighty"')
    assert changed != file.read_text()
    file.write_text(changed)
    step, _ = checkpoints.load_newest_intact(tmp_path, template(STATE), [].append)
    assert step == 1


def test_with_no_intact_checkpoint_nothing_is_changed(tmp_path):
    flip_a_bit(saved(tmp_path, 1) / "1")
    with pytest.raises(checkpoints.DamagedError, match="no intact checkpoint"):
        checkpoints.load_newest_intact(tmp_path, template(STATE), print)
    assert checkpoints.steps(tmp_path) == [1]


def test_a_directory_without_checkpoints_is_not_an_error(tmp_path):
    assert checkpoints.load_newest_intact(tmp_path, template(STATE), print) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": jnp.zeros(3)}, r"weights: saved float32\[1000\], now float32\[3\]"),
        ({"weights": jnp.zeros(1000, jnp.bfloat16)}, r"now bfloat16\[1000\]"),
        ({"another": jnp.zeros(1)}, r"another: saved None, now float32\[1\]"),
    ],
)
def test_another_networks_checkpoint_is_refused_not_called_damaged(tmp_path, change, message):
    with pytest.raises(RequestError, match=message):
        checkpoints.load(saved(tmp_path, 1), 1, template(STATE | change))
    assert checkpoints.steps(tmp_path) == [1]


def test_a_folder_with_the_name_of_another_step_is_renamed(tmp_path):
    (saved(tmp_path, 3, 7) / "7").rename(tmp_path / "9")
    said = []
    with pytest.raises(checkpoints.MisnamedError, match="9 holds the state of step 7"):
        checkpoints.load(tmp_path, 9, template(STATE))
    step, state = checkpoints.load_newest_intact(tmp_path, template(STATE), said.append)
    assert step == int(state["step"]) == 7
    assert checkpoints.steps(tmp_path) == [3, 7]
    assert said == [f"{tmp_path / '9'} holds the state of step 7: renamed to 7"]


def test_a_copy_of_a_checkpoint_under_a_later_step_is_put_aside(tmp_path):
    shutil.copytree(saved(tmp_path, 3, 7) / "3", tmp_path / "9")
    said = []
    step, _ = checkpoints.load_newest_intact(tmp_path, template(STATE), said.append)
    assert step == 7
    assert checkpoints.steps(tmp_path) == [3, 7]
    assert (tmp_path / "corrupt-9").is_dir()
    assert len(said) == 1


def test_folders_that_have_each_others_names_are_exchanged(tmp_path):
    saved(tmp_path, 3, 7)
    for old, new in (("3", "x"), ("7", "3"), ("x", "7")):
        (tmp_path / old).rename(tmp_path / new)
    step, state = checkpoints.load_newest_intact(tmp_path, template(STATE), lambda _: None)
    assert step == int(state["step"]) == 7
    assert int(checkpoints.load(tmp_path, 3, template(STATE))["step"]) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["3", "7"]
