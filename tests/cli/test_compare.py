"""`gan-jax compare`: what it prints, writes and refuses."""

import pytest

from tests.command_line import BLOCKS, gan_jax


def test_compare_prints_a_table_and_writes_it(capsys, seeds_run, run, tmp_path):
    for each in (seeds_run, run):
        arguments = ["evaluate", each, "--features", BLOCKS, "--samples", 50]
        assert gan_jax(capsys, *arguments)[0] == 0
    out = tmp_path / "table.csv"
    code, printed, _ = gan_jax(capsys, "compare", seeds_run, run, "--out", out)
    assert code == 0
    assert f"frechet_distance  {seeds_run}" in printed
    heading, *lines = out.read_text().splitlines()
    assert heading.startswith("directory,seeds,diverged,seconds,features,")
    assert len(lines) == len(printed.splitlines()) - 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give at least one directory"),
        (["nowhere"], "no run in nowhere"),
        (["RUN", "--out", "x.txt"], "must end in .csv"),
        (["RUN", "--out", "no/x.csv"], "no folder no"),
    ],
)
def test_comparisons_that_make_no_sense_are_refused(
    capsys, seeds_run, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    arguments = [seeds_run if argument == "RUN" else argument for argument in arguments]
    code, _, err = gan_jax(capsys, "compare", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []
