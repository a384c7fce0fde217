"""Damaged files of a run are noticed by whatever opens it."""

import pytest

from benchmarks.torture.damage import Damage, damage, flip_a_bit


@pytest.mark.parametrize(
    "most", [pytest.param(2, id="few"), pytest.param(10, id="many", marks=pytest.mark.slow)]
)
def test_damage_is_never_silent(bench, most):
    wrong, _, raised = damage(bench, Damage(most=most))
    assert wrong.tried == raised.tried == most
    assert not wrong.failures
    assert not raised.failures


def test_one_bit_is_flipped(tmp_path):
    (tmp_path / "file").write_bytes(bytes(9))
    flip_a_bit(tmp_path / "file")
    assert sum(map(int.bit_count, (tmp_path / "file").read_bytes())) == 1
