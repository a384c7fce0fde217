"""How much memory there is, where a container has a limit of its own."""

import pytest

from gan_jax.common import memory


@pytest.mark.parametrize(("limit", "limited"), [("1048576\n", True), ("max\n", False)])
def test_a_container_has_its_own_limit(tmp_path, monkeypatch, limit, limited):
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "memory.max")
    whole = memory.machine_bytes()
    assert whole > 2**20
    (tmp_path / "memory.max").write_text(limit)
    assert memory.machine_bytes() == (2**20 if limited else whole)
