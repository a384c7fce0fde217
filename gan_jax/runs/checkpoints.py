"""Checkpoints of the whole train state; the only module that imports Orbax."""

import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from orbax.checkpoint import v1 as ocp

from gan_jax.common.errors import RequestError
from gan_jax.common.reading import check_regular
from gan_jax.runtime import devices

DIGESTS = "digests"
CHECKSUM = "checksum"  # of the digests

# At each save Orbax asks TensorStore how many bytes it has written, only to log their number. Each
# answer leaks memory (TensorStore 0.1.86), 37 KiB for each save, so it is not asked.
with suppress(ImportError):  # another version of Orbax may have it elsewhere
    from orbax.checkpoint._src.serialization import tensorstore_utils

    tensorstore_utils.get_tensorstore_raw_bytes = lambda *_: 0


class Checkpointer:
    """Saves train states in the background; a context manager that waits for the last save.

    With several processes, all of them save the same state together. If a save fails, for example
    because the disk is full, OSError is raised at the next save or at exit.
    """

    def __init__(self, directory: Path, keep: int):
        """Opens `directory`, in which only the `keep` newest checkpoints are kept."""
        self.directory = directory
        self._orbax = ocp.training.Checkpointer(
            directory.resolve(),
            preservation_policy=ocp.training.preservation_policies.LatestN(keep),
            cleanup_tmp_directories=True,
        )
        self._saving: Any = None

    def save(self, step: int, state: PyTree) -> None:
        """Starts saving a state; it may be donated as soon as this returns.

        Raises:
            OSError: the previous save failed.
        """
        self.wait()
        # Orbax saves NumPy arrays in half the time of JAX arrays.
        state = jax.tree.map(_keys_on_devices, devices.to_host(state))
        digests = _digests(state)
        metadata = {DIGESTS: digests, CHECKSUM: _checksum(digests)}
        self._saving = self._orbax.save_async(step, state, force=True, custom_metadata=metadata)

    def wait(self) -> None:
        """Waits until the last save is on disk, which also frees its thread and files.

        Raises:
            OSError: the save failed.
        """
        saving, self._saving = self._saving, None
        if saving is not None:
            with _failing_as_os_error():
                saving.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait()
        finally:
            with _failing_as_os_error():
                self._orbax.close()


@contextmanager
def _failing_as_os_error() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # Orbax passes on whatever its storage layers raise
        raise OSError(f"a checkpoint could not be saved: {_cause(error)}") from error


def steps(directory: Path) -> list[int]:
    """Returns the steps of the checkpoints in a directory, oldest first, intact or not."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())


def remove_after(directory: Path, step: int) -> None:
    """Removes the checkpoints of all steps after `step`, newest first."""
    for later in reversed([saved for saved in steps(directory) if saved > step]):
        shutil.rmtree(directory / str(later))


def load(directory: Path, step: int, template: PyTree) -> PyTree:
    """Loads the checkpoint of one step.

    Args:
        directory: folder of the run's checkpoints.
        step: step of the checkpoint.
        template: the expected state, a tree of `jax.ShapeDtypeStruct` with shardings.

    Raises:
        RequestError: its arrays differ from the template's: the networks have changed.
        DamagedError: it cannot be read, or its bytes are not those that were saved.
        MisnamedError: its state is at another step than the name of its folder says.
    """
    path = directory.resolve() / str(step)
    digests, checksum = _read_metadata(path)
    if _checksum(digests) != checksum:
        raise DamagedError(f"{path}: the names or checksums of its arrays have changed")
    expected, found = _shapes(template), {name: shape for name, (shape, _) in digests.items()}
    if expected != found:
        differing = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
        listed = "; ".join(
            f"{n}: saved {found.get(n)}, now {expected.get(n)}" for n in sorted(differing)[:5]
        )
        raise RequestError(f"checkpoint {path} does not fit the experiment: {listed}")
    try:
        state = ocp.load(path, template)
    except Exception as error:
        raise DamagedError(f"{path}: {_cause(error)}") from error
    changed = [name for name, found in _digests(state).items() if list(found) != digests[name]]
    if changed:
        raise DamagedError(f"{path}: bytes have changed in {', '.join(changed[:3])}")
    inside = dict(zip(_shapes(state), jax.tree.leaves(state), strict=True)).get("step", step)
    if int(inside) != step:
        raise MisnamedError(path, int(inside))
    return state


def _read_metadata(path: Path) -> tuple[dict[str, Any], int]:
    """Returns the digests of a checkpoint and their checksum; DamagedError where it cannot."""
    try:
        for file in path.rglob("*"):
            if not file.is_dir():
                check_regular(file)  # as Orbax would wait for somebody to write into a FIFO
        metadata = ocp.metadata(path).custom_metadata
        digests, checksum = metadata[DIGESTS], metadata[CHECKSUM]
    except Exception as error:  # Orbax passes on whatever its storage layers raise
        raise DamagedError(f"{path}: {_cause(error)}") from error
    if not (isinstance(digests, dict) and all(map(_is_digest, digests.values()))):
        raise DamagedError(f"{path}: its checksums are not those of arrays")
    return digests, checksum


def _is_digest(found: Any) -> bool:
    return isinstance(found, list | tuple) and [type(part) for part in found] == [str, int]


def _unreadable(directory: Path) -> Iterator[tuple[int, "DamagedError"]]:
    """Finds the checkpoints whose metadata cannot be read."""
    for step in steps(directory):
        try:
            _read_metadata(directory.resolve() / str(step))
        except DamagedError as error:
            yield step, error


def load_newest_intact(
    directory: Path, template: PyTree, announce: Callable[[str], None], mend: bool = True
) -> tuple[int, PyTree] | None:
    """Loads the newest intact checkpoint and renames newer, damaged ones to `corrupt-<step>`.

    A folder whose name is another step than that of its state is renamed first.

    Args:
        directory: folder of the run's checkpoints.
        template: the expected state, a tree of `jax.ShapeDtypeStruct` with shardings.
        announce: called with a message for each checkpoint that is renamed.
        mend: whether to rename; of several processes that load together, one does.

    Returns:
        Step and state, or None if there are no checkpoints at all.

    Raises:
        DamagedError: there are checkpoints, and all of them are damaged; none is renamed.
        RequestError: their arrays differ from the template's.
    """
    damaged: list[tuple[int, DamagedError]] = []
    for step in reversed(steps(directory)):
        try:
            state = load(directory, step, template)
        except MisnamedError as error:
            if mend and rename(directory, error, template, announce):
                return load_newest_intact(directory, template, announce)
            damaged.append((step, error))
            continue
        except DamagedError as error:
            damaged.append((step, error))
            continue
        # Orbax would take it for the newest checkpoint and silently not save that step again, and
        # does not open a folder with an older one whose metadata it cannot read.
        damaged += [(older, error) for older, error in _unreadable(directory) if older < step]
        for bad_step, error in damaged if mend else ():
            aside = directory / f"corrupt-{bad_step}"
            shutil.rmtree(aside, ignore_errors=True)
            (directory / str(bad_step)).rename(aside)
            announce(f"checkpoint damaged, kept as {aside.name}: {error}")
        return step, state
    if damaged:
        listed = "; ".join(str(error) for _, error in damaged)
        raise DamagedError(f"no intact checkpoint in {directory}: {listed}")
    return None


def rename(
    directory: Path, error: "MisnamedError", template: PyTree, announce: Callable[[str], None]
) -> bool:
    """Gives a folder the name of the step that its state is at.

    A folder that has this name without holding that state gets the other name in exchange.

    Returns:
        Whether it was renamed; not where the state is there under its right name already.
    """
    wrong, right, aside = error.path, directory / str(error.step), directory / "misnamed"
    if right.exists():
        try:
            load(directory, error.step, template)
        except DamagedError:
            pass
        else:
            return False
    wrong.rename(aside)
    if right.exists():
        right.rename(wrong)
    aside.rename(right)
    announce(f"{error}: renamed to {right.name}")
    return True


class DamagedError(Exception):
    """A checkpoint that cannot be read back as it was saved."""


class MisnamedError(DamagedError):
    """A checkpoint in a folder that has the name of another step."""

    def __init__(self, path: Path, step: int):
        """Takes the folder, and the step of the state in it."""
        super().__init__(f"{path} holds the state of step {step}")
        self.path, self.step = path, step


def _is_key(leaf: jax.Array | np.ndarray) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _keys_on_devices(leaf: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
    """Moves PRNG keys to devices: with several processes, Orbax needs them on all processes'."""
    return devices.put(leaf, devices.for_checkpoints()) if _is_key(leaf) else leaf


def _raw(leaf: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _digests(state: PyTree) -> dict[str, tuple[str, int]]:
    """Shape, dtype and checksum of each leaf; Orbax itself does not detect flipped bits."""
    return {
        name: (shape, zlib.crc32(np.asarray(_raw(leaf)).tobytes()))
        for (name, shape), leaf in zip(_shapes(state).items(), jax.tree.leaves(state), strict=True)
    }


def _checksum(digests: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(digests, sort_keys=True).encode())


def _shapes(tree: PyTree) -> dict[str, str]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="."): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def _cause(error: Exception) -> str:
    """Type and first line of an error, without the long specification that TensorStore adds."""
    first = str(error).strip().partition("\n")[0].partition(" [tensorstore_spec")[0]
    status, _, rest = first.partition(": ")
    if status.isupper():  # RESOURCE_EXHAUSTED: ... : ... : No space left on device
        first = f"{status}: {rest.rpartition(': ')[2]}"
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
