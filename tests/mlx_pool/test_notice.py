import pytest

from mlx_pool.up.notice import Notice, is_worth_a_line, notice_of, words_of


def test_progress_is_shown_as_far_as_it_is_known() -> None:
    """A loading model moves on the screen."""
    line = '{"event":"engine_loading","level":"info","message":"import","progress":0.25}'

    assert notice_of(line) == Notice("progress", "import", 0.25)


def test_warnings_and_errors_are_shown() -> None:
    """What a person may have to act upon does not hide in a file."""
    assert notice_of('{"event":"redis_away","level":"warning"}') == Notice("warning", "redis away")
    assert notice_of('{"event":"broken","level":"error","error":"disk full"}') == Notice("error", "broken: disk full")


def test_what_a_part_notes_for_the_person_is_shown() -> None:
    """Which compute path an engine took is said once, without alarm."""
    line = '{"event":"engine_ready","level":"info","note":"CPU, float32, OpenBLAS"}'

    assert notice_of(line) == Notice("note", "engine ready: CPU, float32, OpenBLAS")


@pytest.mark.parametrize(
    "line", ['{"event":"job_finished","level":"info"}', "Traceback (most recent call last):", "[]", ""]
)
def test_everything_else_belongs_in_the_file(line: str) -> None:
    """Ordinary events and foreign lines don't scroll the useful ones away."""
    assert notice_of(line) is None


def test_the_last_words_are_a_line_for_people() -> None:
    """Why a part gave up is told in its own words, whether it logged them or printed them."""
    assert words_of('{"event":"engine_died","level":"error","reason":"out of memory"}') == "engine died: out of memory"
    assert words_of("  worker: no such option  ") == "worker: no such option"


def test_plain_lines_tell_a_progress_by_tenths() -> None:
    """A log of a long download has ten lines, not ten thousand."""
    shares = [None, 0.0, 0.01, 0.05, 0.1, 0.15, 0.21, 0.98, 1.0]
    shown: list[float | None] = []
    last: Notice | None = None

    for share in shares:
        notice = Notice("progress", "download", share)
        if is_worth_a_line(last, notice):
            shown.append(share)
            last = notice

    assert shown == [None, 0.0, 0.1, 0.21, 0.98, 1.0]
