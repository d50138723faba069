import importlib
import os
import resource
import subprocess
import sys

import pytest

from mlx_pool.commands import COMMANDS, GROUPS, Command, help_page


def mlx_pool(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-P", "-m", "mlx_pool", *argv], capture_output=True, text=True, check=False)


def test_help_fits_a_screen_and_names_every_command() -> None:
    """Who types `mlx-pool --help` sees all of it at once, in groups, on the usual terminal's height."""
    lines = help_page().splitlines()

    assert len(lines) <= 40
    assert max(len(line) for line in lines) <= 120
    assert all(any(line.startswith(f"  {command.name} ") for line in lines) for command in COMMANDS)


def test_help_takes_no_longer_than_200_ms() -> None:
    """Help is there at once: nothing heavy is imported for it. A core's time is measured, as others may use it too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert mlx_pool("--help").returncode == 0

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime <= 0.2


def test_every_command_stands_in_a_group_of_the_page() -> None:
    """A command that is in the table is on the page, once."""
    assert {command.group for command in COMMANDS} == set(GROUPS)
    assert all(help_page().count(f"\n  {command.name} ") == 1 for command in COMMANDS)


def test_an_unknown_command_is_one_line_and_exit_code_2() -> None:
    """A mistyped command is told in one line that says where to look."""
    ended = mlx_pool("upp")

    assert ended.returncode == 2
    assert ended.stderr == "mlx-pool: There is no command `upp`; `mlx-pool --help` lists them.\n"


def test_a_wrong_flag_is_one_line_and_exit_code_2() -> None:
    """A flag that does not fit is told in one line, without a stack trace."""
    ended = mlx_pool("up", "--workers", "many")

    assert ended.returncode == 2
    assert "--workers" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.runs], ids=lambda command: command.name)
def test_a_command_tells_its_own_flags(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` behind a command of this room shows that command's flags and does nothing."""
    assert command.runs
    code = importlib.import_module(command.runs).run(["--help"])

    assert code == 0
    assert f"Usage: mlx-pool {command.name}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.runs], ids=lambda command: command.name)
def test_the_page_of_a_command_fits_the_terminal(
    command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is cut or broken by the terminal, and what a flag means stands in a column of its own."""
    monkeypatch.setenv("COLUMNS", "80")
    assert command.runs
    importlib.import_module(command.runs).run(["--help"])

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    options = lines[lines.index("Options:") + 1 : lines.index("", lines.index("Options:"))]
    [(label, column)] = {(line[:12], line.index("Show")) for line in options if "--help" in line}
    assert label == "  -h, --help"
    assert all(line[column - 2 : column] == "  " or line.startswith("  -") for line in options)


def test_a_word_too_many_is_named() -> None:
    """In words, not in those of the library that found it."""
    ended = mlx_pool("queue", "a", "b", "c")

    assert ended.returncode == 2
    assert ended.stderr == "mlx-pool: b c: that is more than it takes. See `mlx-pool queue --help`.\n"


def test_a_reader_that_has_left_is_no_trouble() -> None:
    """`mlx-pool … | head` ends without a complaint, also where what it printed is still held back at the end."""
    reading, writing = os.pipe()
    os.close(reading)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    with os.fdopen(writing, "wb") as nobody:
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "mlx_pool", "--help"],
            stdout=nobody,
            stderr=subprocess.PIPE,
            env=env,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (0, b"")


def test_what_is_no_text_is_one_line_and_exit_code_2() -> None:
    """Bytes that are no UTF-8 are the caller's slip, and no stack trace."""
    ended = mlx_pool("chat", "\udcff", "--url", "http://127.0.0.1:1")

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no text in UTF-8" in ended.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")  # noqa: PTH110 -- a device
def test_what_can_not_be_written_is_one_line_and_exit_code_1() -> None:
    """A disk that is full is told as such."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 -- a device
        ended = subprocess.run(
            [sys.executable, "-P", "-m", "mlx_pool", "--help"], stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert (ended.returncode, ended.stderr) == (1, b"mlx-pool: [Errno 28] No space left on device\n")
