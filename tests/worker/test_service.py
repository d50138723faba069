"""A service and its queue at the moments between two words: what is on its way, what is told too late or too soon."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from shared import scripts
from shared.claims import Claimed, Claims
from shared.connection import Arg
from shared.queue import Submission
from tests.conftest import Eventually
from worker.heartbeat import BEAT_EVERY_S
from worker.run import Run

from .inside import Inside, Slow

JOB = Submission("job", b'{"prompt":"hello","max_tokens":8}', 60_000)


def calls_of(name: str) -> Callable[[Sequence[Arg]], bool]:
    """Tell of commands whether they call this script."""
    return lambda words: words[1] in {scripts.digest(name), scripts.source(name)}


def _tells_weights(words: Sequence[Arg]) -> bool:
    return calls_of("beat")(words) and words[6] == 1 and words[7] != ""


async def test_an_engine_waits_for_a_job_that_is_on_its_way(broker: str, eventually: Eventually) -> None:
    """It was taken and has not come yet when the model is to leave: it is served first."""
    slow = Slow(broker, calls_of("take"), is_heard=True)
    here = Inside(broker, calls=slow)
    service = here.service()
    async with here.serving(service):
        here.stand.obey("due", is_yielding=False)
        await here.queue.submit([JOB])
        await slow.is_asked.wait()

        here.stand.obey("leaving", is_yielding=True)
        for _ in range(20):
            await asyncio.sleep(0)  # all who wait have their turn
        slow.may_go_on.set()

        await eventually(lambda: here.has_job("ended"))
        await eventually(lambda: here.stand.state == "away")


async def test_no_job_is_taken_before_the_pool_knows_the_weights(broker: str, eventually: Eventually) -> None:
    """Else it would be run with whatever weights; and a job of one's own is no reason to refuse them."""
    late = Slow(broker, _tells_weights, is_heard=False)
    here = Inside(broker, beats=late)
    await Claims(here.client, "m", "old.1.ab", host="old").register("other weights", {})
    await Claims(here.client, "m", "old.1.ab", host="old").leave()
    async with here.serving(here.service()):
        here.stand.obey("due", is_yielding=False)
        await here.queue.submit([JOB])
        await late.is_asked.wait()

        with pytest.raises(AssertionError):
            await eventually(lambda: here.has_job("running", "ended"), within=0.2)
        late.may_go_on.set()

        await eventually(lambda: here.has_job("ended"))


async def test_that_a_model_gives_way_is_told_at_once(broker: str, eventually: Eventually) -> None:
    """Until then others see free seats and a home, and leave it jobs that it will not take."""
    here = Inside(broker)
    async with here.serving(here.service()):
        here.stand.obey("due", is_yielding=False)
        await eventually(lambda: _tells(here, "state", "ready"))
        beat = await here.told("beat")
        await eventually(lambda: _differs(here, beat))
        began_s = time.monotonic()

        here.stand.obey("here", is_yielding=True)

        await eventually(lambda: _tells(here, "state", "standby"))
        assert time.monotonic() - began_s < BEAT_EVERY_S * 0.8


async def test_one_that_stands_by_is_judged_by_its_lease_alone(broker: str, eventually: Eventually) -> None:
    """It beats more seldom than others are silent that are gone: so it does not tell that it can be heard."""
    here = Inside(broker)
    async with here.serving(here.service()):
        here.stand.obey("due", is_yielding=False)
        await eventually(lambda: _tells(here, "listens", "1"))

        here.stand.obey("leaving", is_yielding=True)

        await eventually(lambda: _tells(here, "listens", "0"))
        assert await here.told("state") == "standby"


async def test_a_sick_machine_loads_nothing(broker: str, eventually: Eventually) -> None:
    """It would take no job: it stands by, and tells that it could serve only when it has rested."""
    here = Inside(broker)
    for job in ("a", "b"):
        here.tally.engine_died([job])
    incarnation = here.incarnation()
    incarnation.book.open(_run("c"))

    await incarnation.engine_died()

    here.stand.want("urgent")
    assert not here.stand.is_wanted
    assert here.stand.load_s > 100
    async with here.serving(incarnation):
        await eventually(lambda: _tells(here, "state", "standby"))


def test_what_an_engine_has_left_undone_is_not_held_for_ever(broker: str) -> None:
    """It has ended with the model, and nobody works on it: the queue gives back what is not held."""
    here = Inside(broker)
    incarnation = here.incarnation()
    incarnation.load()
    incarnation.book.open(_run("a"))

    incarnation.unload()

    assert len(incarnation.book) == 0


def _run(job: str) -> Run:
    claimed = Claimed(job, 1, "std:1-1", b"{}", 0, 9_000, 1_000, "", "", "", 1_500)
    return Run(claimed, f"{job}/1", prompt_tokens_estimate=1)


async def _differs(here: Inside, beat: str) -> bool:
    return await here.told("beat") != beat


async def _tells(here: Inside, field: str, value: str) -> bool:
    return await here.told(field) == value
