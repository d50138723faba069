import asyncio
from collections.abc import Awaitable, Callable

from mlx_pool.failure import Failed
from mlx_pool.up.crew import Ending

from .conftest import Yards

Eventually = Callable[..., Awaitable[None]]
NOTES_ITS_END = "trap 'echo {0} >> $NOTES; exit 0' TERM; echo up >> $NOTES; while :; do sleep 0.05; done"
IS_DEAF = "trap '' TERM; echo up >> $NOTES; while :; do sleep 0.05; done"


async def test_stages_end_one_after_the_other(yard: Yards, eventually: Eventually) -> None:
    """Workers hand back their jobs while gateway and queue still stand, and the queue goes last."""
    async with yard() as here:
        for stage in ("broker", "gateway", "worker"):
            here.crew.start(here.part(NOTES_ITS_END.format(stage), name=stage, stage=stage))
        await eventually(lambda: here.noted() == ["up"] * 3)

        here.crew.stop_or_kill()
        is_orderly = await here.crew.stop()

    assert is_orderly
    assert here.noted()[3:] == ["worker", "gateway", "broker"]


async def test_a_second_request_ends_all_at_once(yard: Yards, eventually: Eventually) -> None:
    """A second Ctrl-C does not wait for anybody, and the result says that it was not in order."""
    async with yard() as here:
        here.crew.start(here.part(IS_DEAF))
        await eventually(lambda: here.noted() == ["up"])
        here.crew.stop_or_kill()
        stopping = asyncio.ensure_future(here.crew.stop())

        here.crew.stop_or_kill()

        async with asyncio.timeout(5):
            assert not await stopping


async def test_a_part_in_its_pause_stops_at_once(yard: Yards, eventually: Eventually) -> None:
    """A part that waits to be started again is not started just to be ended."""
    async with yard() as here:
        here.crew.start(here.part("echo run >> $NOTES; exit 1"))
        await eventually(lambda: here.screen.shown)

        async with asyncio.timeout(0.4):
            here.crew.stop_or_kill()
            await here.crew.stop()

    assert here.noted() == ["run"]


async def test_the_first_reason_to_end_counts(yard: Yards) -> None:
    """What went wrong first is what the person reads, not what followed from it."""
    first, second = Ending(Failed("the queue is gone")), Ending(Failed("a worker found no queue"))

    async with yard() as here:
        here.crew.end(first)
        here.crew.end(second)

        assert await here.crew.ended() == first
