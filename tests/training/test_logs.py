import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from gan_jax.evaluation.rows import locked
from gan_jax.runs import RunDirectory
from gan_jax.training.logs import Display, RunLog, make_bar

VALUES = {
    "discriminator_loss": 1.0,
    "generator_loss": 2.0,
    "accuracy_real": 0.5,
    "accuracy_fake": 1.0,
}


def rows(directory):
    return [json.loads(line) for line in directory.metrics.read_text().splitlines()]


def test_later_metrics_and_a_torn_line_are_dropped_on_resume(tmp_path):
    directory = RunDirectory(tmp_path)
    with RunLog(directory, seed=3, first_step=0) as log:
        for step in (2, 4, 6):
            log.metrics(step, VALUES)
    with directory.metrics.open("a") as file:
        file.write('{"step": 8, "se')
    with RunLog(directory, seed=3, first_step=4) as log:
        log.metrics(6, VALUES)
    assert rows(directory) == [{"step": step, "seed": 3} | VALUES for step in (2, 4, 6)]


def test_scores_are_not_dropped_while_another_process_adds_to_them(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.evaluation.write_text('{"step": 2}\n{"step": 6}\n')
    opening = threading.Thread(target=lambda: RunLog(directory, 0, 4).__exit__())
    with locked(directory.evaluation):
        opening.start()
        opening.join(timeout=0.2)
        assert opening.is_alive()
        assert len(directory.evaluation.read_text().splitlines()) == 2
    opening.join(timeout=10)
    assert directory.evaluation.read_text() == '{"step": 2}\n'


def test_messages_may_have_bytes_of_names_that_are_not_text(tmp_path):
    with RunLog(RunDirectory(tmp_path), 0, 0) as log:
        log.message("ü \udcfc")
    assert (tmp_path / "log.txt").read_bytes().endswith("ü ".encode() + b"\xfc\n")


@pytest.mark.slow
def test_the_log_is_utf_8_whatever_the_locale(tmp_path):
    script = (
        "import sys; from pathlib import Path; from gan_jax.runs import RunDirectory\n"
        "from gan_jax.training.logs import RunLog\n"
        "with RunLog(RunDirectory(Path(sys.argv[1])), 0, 0) as log: log.message('\\xfc')"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = os.environ | locale | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script, tmp_path], env=environment, check=True)
    assert (tmp_path / "log.txt").read_bytes().endswith("ü\n".encode())


def test_messages_go_to_the_log_with_the_time(tmp_path):
    directory = RunDirectory(tmp_path)
    with RunLog(directory, 0, 0) as log:
        log.message("hello [bold]there[/bold]")
    assert directory.log.read_text().endswith(" hello [bold]there[/bold]\n")


def test_messages_are_shown_as_they_are(capsys):
    with Display(0, 10) as display:
        display.say("hello [bold]there[/bold]")
    assert "hello [bold]there[/bold]" in capsys.readouterr().err


def test_tensorboard_events_are_written(tmp_path):
    with RunLog(RunDirectory(tmp_path), 0, 0) as log:
        log.metrics(1, VALUES)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"generator_loss" in events.read_bytes()


@pytest.mark.parametrize(("width", "cut"), [(60, True), (80, True), (120, False)])
def test_where_there_is_little_room_the_figures_are_cut_and_nothing_else(capsys, width, cut):
    figures = "epoch 0.0 · 640 examples/s · loss D 2.9 G 0.7 · D right on real 50% fake 50%"
    console = Console(width=width)
    bar = make_bar(console)
    bar.add_task("training", total=100_000, completed=90_000, figures=figures)
    console.print(bar)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("training ━━━━━━")
    assert " 90000/100000 -:--:-- epoch 0.0" in line
    assert line.rstrip().endswith("…" if cut else figures)


def test_a_dead_writer_of_tensorboard_does_not_hold_up_training(tmp_path, monkeypatch):
    directory = RunDirectory(tmp_path)
    with RunLog(directory, 0, 0) as log:
        worker = log._board.file_writer.event_writer._worker
        monkeypatch.setattr(worker, "is_alive", lambda: False)
        for step in range(100):  # more than its queue holds
            log.metrics(step, {"loss": 1.0})
    assert len(directory.metrics.read_text().splitlines()) == 100
    assert directory.log.read_text().count("tensorboard/ cannot be written") == 1
