"""The shelf and its stands: what is decided on values reaches the models, and what becomes of them is counted."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from tests.conftest import Eventually
from worker.arrangement import UNLOAD_S, Rules
from worker.shelf import Shelf
from worker.stand import Stand


@contextlib.asynccontextmanager
async def shelf(*stands: Stand, budget: int = 10, turn_s: float = 0.2, keep_s: float = 0.0) -> AsyncGenerator[None]:
    """Run the shelf that these stand on."""
    running = asyncio.create_task(Shelf(stands, Rules(budget, turn_s, keep_s)).run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


def loaded(stand: Stand) -> None:
    """Its engine starts, and is ready at once."""
    stand.loading()
    stand.ready()


async def test_who_is_wanted_is_due_when_there_is_room(eventually: Eventually) -> None:
    """And for as long as nobody wants it, its memory stays free."""
    a, b = Stand("a", size=6, load_s=1, pinned=False), Stand("b", size=6, load_s=1, pinned=False)
    async with shelf(a, b):
        a.want("urgent")

        await eventually(lambda: a.state == "due")
        assert (b.state, a.resident() is not None, b.resident()) == ("away", True, None)


async def test_room_is_made_and_used(eventually: Eventually) -> None:
    """The idle one is told to leave; once its engine has ended the other is due."""
    a, b = Stand("a", size=6, load_s=1, pinned=False), Stand("b", size=6, load_s=1, pinned=False)
    async with shelf(a, b):
        loaded(a)
        b.want("urgent")
        await eventually(lambda: a.state == "leaving")
        before = b.state

        a.left()

        await eventually(lambda: b.state == "due")
        assert before == "away"
        assert (a.loads, a.unloads) == (1, 1)


async def test_a_busy_one_is_told_to_take_no_more(eventually: Eventually) -> None:
    """It is told at once when it gives way, and again when it need not any more."""
    a, b = Stand("a", size=6, pinned=False), Stand("b", size=6, pinned=False)
    told: list[bool] = []
    a.on_change = lambda: told.append(a.is_yielding)
    async with shelf(a, b):
        loaded(a)
        a.note(is_busy=True)
        b.want("urgent")
        await eventually(lambda: a.is_yielding)

        b.want("none")

        await eventually(lambda: told == [True, False])
        assert a.state == "here"


async def test_a_model_whose_queue_was_left_is_wanted_no_more(eventually: Eventually) -> None:
    """It waited for room when an operator drained it: the room is the others' again."""
    a, b = Stand("a", size=6, pinned=False), Stand("b", size=6, pinned=False)
    async with shelf(a, b):
        loaded(a)
        a.note(is_busy=True)
        b.want("urgent")
        await eventually(lambda: a.is_yielding and b.is_making_room)

        b.left()

        await eventually(lambda: not a.is_yielding)
        assert (b.state, b.is_wanted, b.is_making_room) == ("away", False, False)


async def test_how_soon_it_could_serve_has_all_in_it() -> None:
    """Loading, bringing it here, and what has to leave before; while it rests, the rest as well."""
    a = Stand("a", size=6, load_s=2, fetch_s=50, pinned=False)
    b = Stand("b", size=6, load_s=3, pinned=False)
    async with shelf(a, b, turn_s=20):
        alone = a.load_s
        b.loading()
        blocked = a.load_s
        b.give_up(0)
        going = a.load_s
        a.give_up(100)

        assert (alone, blocked, going) == (52, 72 + UNLOAD_S, 52 + UNLOAD_S)
        assert a.load_s > 150


async def test_after_a_failure_it_is_wanted_no_more_for_a_while(eventually: Eventually) -> None:
    """Others may be better at it; afterwards it may be tried again."""
    a = Stand("a", size=6, pinned=False)

    def is_wanted() -> bool:
        a.want("urgent")
        return a.is_wanted

    a.give_up(0.05)

    assert not is_wanted()
    await eventually(is_wanted)


async def test_what_is_fetched_takes_no_room() -> None:
    """It is wanted, and not due, before it is here."""
    a = Stand("a", size=6, load_s=1, fetch_s=3, pinned=False)
    a.want("urgent")
    before = a.wanted()

    a.present()
    a.want("urgent")

    assert before is None
    assert a.wanted() is not None
    assert (a.load_s, a.load_share) == (1, 1.0)


def test_a_pinned_one_is_there_and_stays() -> None:
    """It has no wish of its own, and no failure moves it."""
    pinned = Stand("p", size=6, pinned=True)

    pinned.want("urgent")
    pinned.give_up(1)

    assert (pinned.state, pinned.is_wanted) == ("here", False)
