import json
from datetime import datetime
from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.logs.command import chosen_files
from mlx_pool.logs.command import run as mlx_pool_logs
from mlx_pool.logs.line import drawn, is_at_least, read_line
from mlx_pool.logs.tail import Tail, in_order, log_files
from mlx_pool.terminal import Ink
from mlx_pool.up.log_file import LogFile

PLAIN = Ink(has_colours=False)


def logged(event: str, at: str = "2026-11-23T02:00:00.000000Z", level: str = "info", **fields: object) -> str:
    """A line as a part logs it."""
    return json.dumps({"event": event, "timestamp": at, "level": level, **fields})


def test_a_line_reads_as_its_event_with_its_fields() -> None:
    """A person sees when, who, what, in one line."""
    line = drawn(read_line("worker", logged("job_ended", job="a-1", tokens=7)), PLAIN, width=7)

    assert line.endswith("worker  job_ended job=a-1 tokens=7")


def test_a_line_can_not_steer_the_terminal() -> None:
    """Whatever a part has logged or printed, no escape sequence of it reaches the person's screen."""
    for raw in (logged("named", name="\x1b[2J"), "panic \x1b]0;title\x07", logged("\x1b[31m")):
        assert "\x1b" not in drawn(read_line("worker", raw), PLAIN, width=6)


def test_what_is_no_json_is_shown_as_it_is() -> None:
    """A broker's lines, and a crash's, are part of the story."""
    assert drawn(read_line("broker", "Ready to accept connections"), PLAIN, width=6).endswith(
        "Ready to accept connections"
    )


def test_lines_can_be_chosen_by_how_grave_they_are() -> None:
    """Who looks for what went wrong does not read a thousand lines of what went well."""
    lines = [read_line("w", logged("x", level=level)) for level in ("debug", "info", "warning", "error", "critical")]

    assert [is_at_least(line, "warning") for line in lines] == [False, False, True, True, True]


def test_lines_of_several_parts_come_in_the_order_of_their_times() -> None:
    """One without a time (a traceback's) stays behind the line that its part wrote before it."""
    gateway = [read_line("gateway", logged("g", "2026-11-23T02:00:02Z"))]
    worker = [read_line("worker", logged("w", "2026-11-23T02:00:01Z")), read_line("worker", "Traceback")]

    assert [line.event or line.raw for line in in_order(gateway + worker)] == ["w", "Traceback", "g"]


def test_a_brokers_lines_stand_in_order_too() -> None:
    """It writes no JSON, but a time of its own; what only looks like one is a line without."""
    line = read_line("broker", "17:M 23 Nov 2026 02:49:41.090 * Ready to accept connections tcp")

    assert datetime.fromisoformat(line.at) == datetime(2026, 11, 23, 2, 49, 41, 90_000).astimezone()
    assert read_line("broker", "17:M 33 Nov 2026 02:49:41.090 * x").at == ""
    assert read_line("broker", "17:M 23 Abc 2026 02:49:41.090 * x").at == ""


def test_the_last_lines_are_read_across_the_file_that_was_put_aside(tmp_path: Path) -> None:
    """What was logged just before a file was full is not hidden by that."""
    log = LogFile(tmp_path / "worker.log", max_bytes=40)
    for number in range(8):
        log.write(f"line number {number}\n".encode())
    log.close()

    lines = [line.raw for line in Tail("worker", tmp_path / "worker.log").last(3)]

    assert lines == ["line number 5", "line number 6", "line number 7"]


def test_following_gives_each_line_once_also_across_a_new_file(tmp_path: Path) -> None:
    """Nothing is lost or repeated where the file is put aside, or a line was half written."""
    log = LogFile(tmp_path / "worker.log", max_bytes=60)
    log.write(b"one\ntw")
    tail = Tail("worker", tmp_path / "worker.log")
    seen = [line.raw for line in tail.last(10)]

    for words in (b"o\nthree\n", b"four\n", b"five, which is longer, so that the file is full now\n", b"six\n"):
        log.write(words)
        seen += [line.raw for line in tail.more()]

    log.close()
    assert seen == ["one", "two", "three", "four", "five, which is longer, so that the file is full now", "six"]


def test_a_part_that_has_logged_nothing_is_told_with_those_that_have(tmp_path: Path) -> None:
    """`mlx-pool logs worker 2` finds what `up` calls so, `worker` all; a mistyped part is told what there is."""
    for name in ("gateway.log", "worker-1.log", "worker-2.log"):
        (tmp_path / name).touch()
    files = log_files(tmp_path)

    assert list(chosen_files(files, "worker 2", tmp_path)) == ["worker-2"]
    assert list(chosen_files(files, "worker", tmp_path)) == ["worker-1", "worker-2"]
    with pytest.raises(Unusable, match="gateway, worker-1, worker-2"):
        chosen_files(files, "workre", tmp_path)
    with pytest.raises(Unusable, match="mlx-pool up"):
        chosen_files({}, None, tmp_path)


def test_for_programs_each_line_is_an_object_that_names_its_part(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` gives what was logged, and wraps what was not JSON."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_text(logged("job_ended", job="a") + "\nTraceback\n")

    assert mlx_pool_logs(["--data", str(tmp_path), "--json"]) == 0

    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["part"], first["event"], first["job"]) == ("worker", "job_ended", "a")
    assert second == {"part": "worker", "line": "Traceback"}
