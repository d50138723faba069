import io
import os
import pty

from msgspec import structs
from rich.console import Console

from mlx_pool.top.keyboard import Keyboard
from mlx_pool.top.picture import cached, memory, picture, seats, seconds, state
from shared.survey import Survey, WorkerView

WORKER = WorkerView(
    id="mac.1.ab",
    host="mac",
    state="ready",
    slots=4,
    busy=3,
    lease_ends_in_ms=900,
    tokens_per_second=41.4,
    memory_bytes=1 << 30,
    memory_limit_bytes=2 << 30,
    prompt_tokens=200,
    cache_saved_tokens=50,
)
SURVEY = Survey(
    model="tiny",
    now_ms=0,
    waiting={"re": 0, "hi": 1, "std": 7, "lo": 0, "sus": 0},
    running=3,
    oldest_wait_ms=1_500,
    workers=[WORKER],
    dead_letters=2,
)


def drawn(*surveys: Survey, trouble: str = "", width: int = 160) -> list[str]:
    """The picture as lines of plain text."""
    out = io.StringIO()
    Console(file=out, width=width).print(picture(surveys, trouble=trouble))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_queues_and_workers_stand_below_their_sum() -> None:
    """A glance tells what the pool does; a second one, where."""
    lines = drawn(SURVEY)

    assert lines[0] == "1 worker(s) ready on 1 machine(s) · 3 of 4 seats taken · 41 tokens/s · 8 waiting"
    assert lines[3].split()[:7] == ["tiny", "·", "1", "7", "·", "·", "3"]
    assert lines[3].split()[7:9] == ["1.5", "s"]
    assert "mac.1.ab" in lines[6]
    assert "●●●○" in lines[6]


def test_many_seats_are_a_bar() -> None:
    """Sixty-four circles would say less than their share."""
    assert seats(structs.replace(WORKER, slots=64, busy=32)) == "█████░░░░░ 32/64"
    assert seats(structs.replace(WORKER, slots=0, busy=0)) == "·"


def test_a_model_that_is_loading_is_told_with_how_far() -> None:
    """Who waits for it sees that it moves."""
    assert state(structs.replace(WORKER, state="loading", progress=0.42)) == "loading 42%"
    assert state(structs.replace(WORKER, state="loading")) == "loading"


def test_memory_is_told_with_its_share_and_want() -> None:
    """A worker that is short of memory says so where one looks for it."""
    assert memory(WORKER) == "█████░░░░░ 1.0 GiB"
    assert memory(structs.replace(WORKER, pressure="hard")).endswith("1.0 GiB hard")
    assert cached(WORKER) == "25%"
    assert cached(WorkerView(id="new")) == "·"


def test_nothing_of_a_workers_words_steers_the_terminal() -> None:
    """A note or a name with an escape sequence, or with rich's markup, is text."""
    hostile = structs.replace(WORKER, note="\x1b[2J[bold]x[/bold]")

    lines = drawn(structs.replace(SURVEY, workers=[hostile]))

    assert "\x1b" not in "".join(lines)
    assert "[bold]x[/bold]" in lines[6]


def test_a_narrow_terminal_cuts_cells_and_not_the_picture() -> None:
    """Each worker keeps its one line, whatever the width."""
    assert len(drawn(SURVEY, width=60)) == len(drawn(SURVEY))


def test_a_note_gives_way_before_a_name_does() -> None:
    """On eighty columns one still reads which machine it is, and how it stands."""
    told = structs.replace(WORKER, id="studio-1.4711.1f9c22e0", note="low power mode: slower than it could be " * 2)

    line = drawn(structs.replace(SURVEY, workers=[told]), width=80)[6]

    assert line.split()[:4] == ["studio-1.4711.1f9c22e0", "tiny", "ready", "●●●○"]


def test_a_trouble_stands_above_what_may_be_old() -> None:
    """While Redis is away the last picture stays, and says why."""
    assert drawn(SURVEY, trouble="Redis does not answer.")[1] == "Redis does not answer."
    assert drawn()[0].startswith("0 worker(s) ready")


def test_times_are_as_short_as_they_are_long() -> None:
    """Nobody needs the tenths of ten minutes."""
    assert [seconds(ms) for ms in (0, 1_540, 600_000)] == ["0.0 s", "1.5 s", "10 min"]


async def test_q_leaves_at_once_and_the_terminal_is_as_it_was() -> None:
    """A key needs no Enter, an arrow key is no Escape, and the shell behind gets its terminal back."""
    near, far = pty.openpty()
    with os.fdopen(far, "r") as source:
        keyboard = Keyboard()
        with keyboard.listened_to(source):
            os.write(near, b"\x1b[A")
            assert not await keyboard.is_left(0.05)
            os.write(near, b"q")
            assert await keyboard.is_left(5)
    os.close(near)
