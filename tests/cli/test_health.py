"""`gan-jax health`: what it says of runs."""

from tests.command_line import gan_jax


def test_health_says_how_a_run_goes(capsys, run):
    code, out, _ = gan_jax(capsys, "health", run)
    assert code == 0
    assert out.startswith("too little data to say: ")
    assert "log_every" in out


def test_health_without_a_run_exits_with_2_and_one_message(capsys, tmp_path):
    code, out, err = gan_jax(capsys, "health", tmp_path)
    assert code == 2
    assert out == ""
    assert err.startswith(f"error: no run in {tmp_path}")
    assert err.count("error") == 1


def test_health_tells_seeds_apart(capsys, seeds_run):
    code, printed, _ = gan_jax(capsys, "health", seeds_run)
    assert code == 0
    assert [line for line in printed.splitlines() if line.endswith(":")] == ["seed_0:", "seed_3:"]
