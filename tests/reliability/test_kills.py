"""Runs that are killed and started again end like runs that were not."""

import pytest

from benchmarks.torture.comparing import litter
from benchmarks.torture.kills import Kills, kills

NONE = dict.fromkeys(("anywhen", "saving", "seeds", "streamed", "sweeps", "processes"), 0)


def check(bench, **counts):
    (tally,) = kills(bench, Kills(**NONE | counts))
    assert tally.tried == max(counts.values())
    assert not tally.failures


@pytest.mark.slow
def test_a_run_killed_during_a_save_ends_as_if_it_had_not_been(bench):
    check(bench, saving=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["anywhen", "sweeps"])
def test_what_is_killed_ends_as_if_it_had_not_been(bench, kind):
    check(bench, **{kind: 1})


def test_temporary_files_are_litter_and_others_are_not(tmp_path):
    digits = "0123456789abcdef" * 2
    for name in (f".a.json.{digits}", f".{digits}", "5.orbax-checkpoint-tmp"):
        (tmp_path / name).touch()
    assert len(litter(tmp_path)) == 3
    for name in (".lock", "a.json", digits, "5"):
        (tmp_path / name).touch()
    assert len(litter(tmp_path)) == 3
