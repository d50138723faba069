import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from mlx_pool.up.notice import Notice
from mlx_pool.up.process import identity_of
from mlx_pool.up.state import read_state

from .conftest import Yards

Eventually = Callable[..., Awaitable[None]]


async def test_a_part_that_dies_is_started_again(yard: Yards, eventually: Eventually) -> None:
    """A crash of a worker costs its jobs a moment, not the machine its worker."""
    async with yard() as here:
        here.crew.start(here.part("echo run >> $NOTES; exit 1"))

        await eventually(lambda: here.noted() == ["run", "run"])

    part, notice = here.screen.shown[0]
    assert (part, notice.level) == ("worker", "warning")
    assert notice.text.startswith("ended with exit code 1 (without a word); it is started again")


async def test_a_part_that_refuses_its_flags_ends_all_with_its_words(yard: Yards) -> None:
    """`up` does not run on without a worker whose model does not exist: it says so and leaves."""
    async with yard() as here:
        here.crew.start(here.part("echo 'There is no model x.' >&2; exit 2"))

        ending = await here.crew.ended()

    assert str(ending.error) == "worker: There is no model x."
    assert ending.error is not None
    assert ending.error.exit_code == 2


async def test_every_running_process_stands_in_the_state_file(yard: Yards, eventually: Eventually) -> None:
    """A program begins only once its process is on record, and leaves the record when it has ended."""
    async with yard() as here:
        here.crew.start(
            here.part("cp $(dirname $NOTES)/up.json $(dirname $NOTES)/seen; echo $$ >> $NOTES; exec sleep 60")
        )
        await eventually(lambda: len(here.noted()) == 1)

        seen = read_state(here.state.parent / "seen")
        assert seen is not None
        assert [running.identity for running in seen.running] == [identity_of(int(here.noted()[0]))]

    left = read_state(here.state)
    assert left is not None
    assert left.running == ()


async def test_what_can_not_be_put_on_record_is_tried_again(yard: Yards, eventually: Eventually) -> None:
    """A full disk keeps a part from its start, and says so; it ends nothing else, and is over when there is room."""
    async with yard() as here:
        blocked = here.state.with_suffix(".new")
        blocked.mkdir()
        here.crew.start(here.part("echo run >> $NOTES; exec sleep 60"))
        await eventually(lambda: len(here.screen.shown) == 1)
        assert here.noted() == []

        blocked.rmdir()

        await eventually(lambda: here.noted() == ["run"])
    assert "it can't be started now" in here.screen.shown[0][1].text


async def test_what_a_killed_part_had_started_goes_with_it(yard: Yards, eventually: Eventually) -> None:
    """A kill -9 of a worker leaves no engine behind: the next worker would load a second model beside it."""
    async with yard() as here:
        here.crew.start(here.part("sleep 60 & echo $$ $! >> $NOTES; wait"))
        await eventually(lambda: len(here.noted()) == 2)
        parent, child = (int(word) for word in here.noted())

        os.kill(parent, signal.SIGKILL)

        await eventually(lambda: identity_of(child) is None)


async def test_a_part_writes_to_its_log_and_its_notices_to_the_screen(
    yard: Yards, eventually: Eventually, tmp_path: Path
) -> None:
    """All of a part's output is in the file; the screen has what a person waits for."""
    line = '{"event":"engine_loading","message":"weights","progress":0.5}'
    async with yard() as here:
        here.crew.start(here.part(f"echo '{line}'; echo noise; echo done >> $NOTES; exec sleep 60", name="worker 1"))
        await eventually(lambda: here.noted() and here.screen.shown)

        assert here.screen.shown == [("worker 1", Notice("progress", "weights", 0.5))]
        await eventually(lambda: (tmp_path / "worker-1.log").read_text() == f"{line}\nnoise\n")


async def test_only_who_asks_for_it_has_a_stdin_that_lives_as_long_as_up(yard: Yards, eventually: Eventually) -> None:
    """The guardian learns of our end through its stdin; the others read nothing, so nothing can wait for a terminal."""
    async with yard() as here:
        here.crew.start(here.part("cat; echo ended >> $NOTES; exec sleep 60"))
        here.crew.start(here.part("echo waits >> $NOTES; cat; echo ended >> $NOTES", name="guardian", holds_stdin=True))

        await eventually(lambda: sorted(here.noted()) == ["ended", "waits"])
