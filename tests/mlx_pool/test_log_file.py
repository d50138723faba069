from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mlx_pool.up.log_file import Lines, LogFile


def test_a_full_log_is_put_aside_once(tmp_path: Path) -> None:
    """A part that runs for a year has two files of bounded size, the newest lines in the first."""
    log = LogFile(tmp_path / "worker.log", max_bytes=10)

    for line in (b"first\n", b"second\n", b"third\n"):
        log.write(line)
    log.close()

    assert (tmp_path / "worker.log").read_bytes() == b"third\n"
    assert (tmp_path / "worker.log.1").read_bytes() == b"second\n"


def test_a_log_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    """Why the pool stopped yesterday can still be read today."""
    for line in (b"yesterday\n", b"today\n"):
        log = LogFile(tmp_path / "worker.log")
        log.write(line)
        log.close()

    assert (tmp_path / "worker.log").read_bytes() == b"yesterday\ntoday\n"


def test_what_can_not_be_written_is_no_trouble(tmp_path: Path) -> None:
    """A disk that is full costs lines, not the part that wrote them; with room again the log goes on."""
    folder = tmp_path / "logs"
    folder.mkdir()
    log = LogFile(folder / "worker.log", max_bytes=10)
    log.write(b"first\n")

    (folder / "worker.log").unlink()
    folder.rmdir()
    log.write(b"second\n")
    folder.mkdir()
    log.write(b"third\n")
    log.close()

    assert (folder / "worker.log").read_bytes() == b"third\n"


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", exclude_categories=("Cs",)))), st.integers(1, 7))
def test_lines_come_out_whole_however_the_bytes_are_cut(lines: list[str], size: int) -> None:
    """A pipe cuts lines anywhere, also within a character."""
    data = "".join(line + "\n" for line in lines).encode()
    splitter = Lines()

    got = [line for start in range(0, len(data), size) for line in splitter.feed(data[start : start + size])]

    assert got == lines
