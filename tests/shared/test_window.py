"""The window: all workers see the same jobs, each is taken once, and who served a prompt's beginning is known."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.claims import Claims
from shared.errors import Refused
from shared.outline import Outline, Prefix, encode_outline
from shared.queue import Submission
from shared.window import Waiting, Window

from .conftest import BODY, HOUR_MS, Lab, Labs

ROOT, FIRST, SECOND = (Prefix(digit * 16, tokens) for digit, tokens in (("a", 10), ("b", 100), ("c", 200)))
TURN_1 = encode_outline(Outline(100, (ROOT, FIRST), (ROOT,)))
TURN_2 = encode_outline(Outline(200, (ROOT, FIRST, SECOND), (FIRST, ROOT)))


async def _submit(here: Lab, job_id: str, outline: str = "", **how: str) -> None:
    await here.queue.submit([Submission(job_id, BODY, HOUR_MS, outline)], **how)  # pyright: ignore[reportArgumentType] a tenant


async def _take_all(worker: Claims) -> list[str]:
    return [job.id for job in await worker.take(_entries(await worker.look()))]


def _entries(window: Window) -> Sequence[str]:
    return [job.entry for job in window.waiting]


async def _only(worker: Claims) -> Waiting:
    [waiting] = (await worker.look()).waiting
    return waiting


async def test_all_workers_see_the_same_jobs(lab: Labs) -> None:
    """Seeing takes nothing: what one has seen waits for all others, and counts as waiting."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await here.submit("x", "y")

        windows = [await one.look(), await other.look(), await one.look()]

        assert len({tuple(sorted(_entries(window))) for window in windows}) == 1
        assert await here.waiting() == {"std": 2}
        assert (await here.queue.survey()).running == 0


async def test_of_two_that_take_one_entry_one_gets_it(lab: Labs) -> None:
    """Whoever comes second gets nothing, and neither does who takes the same twice."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await here.submit("x")
        entries = _entries(await one.look())

        taken = await asyncio.gather(one.take(entries), other.take(entries), one.take(entries))

        assert sum(map(len, taken)) == 1


async def test_what_was_seen_can_still_be_cancelled(lab: Labs) -> None:
    """A job that nobody has taken ends at once, and is gone from the window."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("x")
        entries = _entries(await worker.look())

        assert await here.queue.cancel("x") == "cancelled"

        assert await worker.take(entries) == []
        assert (await worker.look()).waiting == []


async def test_a_job_that_comes_by_plain_xadd_has_its_day_when_it_is_seen(lab: Labs) -> None:
    """Its record is made then; its timeout counts from when it is taken."""
    async with lab() as here:
        worker = await here.worker()
        job_id = await here.xadd(body=BODY, timeout_ms="1000")

        entries = _entries(await worker.look())

        assert await here.state(job_id) == "waiting"
        [claimed] = await worker.take(entries)
        assert claimed.deadline_ms == claimed.now_ms + 1_000


async def test_a_window_has_room_for_64_of_a_class(lab: Labs) -> None:
    """More is read as these are taken; whoever looks is not told of thousands."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit(*(f"j{n}" for n in range(100)))

        window = await worker.look()

        assert len(window.waiting) == 64
        assert len(await worker.take(_entries(window)[:10])) == 10
        assert len((await worker.look()).waiting) == 64
        assert await here.waiting() == {"std": 90}


async def test_a_worker_is_home_to_what_it_took(lab: Labs) -> None:
    """The next turn's job names it, and how many tokens of the prompt it has read."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await _submit(here, "turn-1", TURN_1)
        await one.take(_entries(await one.look()))

        await _submit(here, "turn-2", TURN_2)

        seen = await _only(other)
        assert (seen.home, seen.home_tokens) == (one.worker_id, 100)
        assert [prefix.hash for prefix in seen.prefixes] == [ROOT.hash, FIRST.hash, SECOND.hash]


async def test_the_root_stays_with_who_had_it_first(lab: Labs) -> None:
    """Chats that begin alike gather where the beginning was read; each one's next turn stays where the last was."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await _submit(here, "chat-1", TURN_1)
        await one.take(_entries(await one.look()))
        forced = encode_outline(Outline(90, (ROOT, SECOND), (ROOT,)))
        await _submit(here, "chat-2", forced)

        seen = await _only(other)
        await other.take([seen.entry])
        await _submit(here, "chat-2-goes-on", encode_outline(Outline(99, (ROOT,), (SECOND, ROOT))))

        assert (seen.home, seen.home_tokens) == (one.worker_id, 10)
        assert (await _only(one)).home == other.worker_id


async def test_who_serves_a_beginning_again_stays_its_home(lab: Labs) -> None:
    """A home is forgotten when it was not used, not when it was first used long ago."""
    async with lab() as here:
        worker = await here.worker()
        await _submit(here, "first", TURN_1)
        await _take_all(worker)
        root = f"{here.keys.prefix}:home:{ROOT.hash}"
        await here.redis("PEXPIRE", root, 60_000)

        await _submit(here, "again", TURN_1)
        await _take_all(worker)

        assert await here.redis("PTTL", root) > 60_000


@pytest.mark.parametrize("how", ["dead", "draining", "loading"])
async def test_a_home_that_cannot_serve_is_none(lab: Labs, how: str) -> None:
    """Nobody waits for a worker that is not there: the next known boundary counts, or none."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await _submit(here, "turn-1", TURN_1)
        await one.take(_entries(await one.look()))
        if how == "dead":
            await here.let_lease_end(one)
        else:
            await one.beat({"state": how})

        await _submit(here, "turn-2", TURN_2)

        assert (await _only(other)).home == ""


@pytest.mark.parametrize("outline", ["nonsense", "1 aa:1", "9" * 2_000, "1 - -\n", "-1 - -", "1 zz:1 -"])
async def test_an_outline_that_cannot_be_read_says_nothing(lab: Labs, outline: str) -> None:
    """Whatever a producer writes there, its job waits and runs like any other; its body tells how large it is."""
    async with lab() as here:
        worker = await here.worker()
        await here.xadd(body=BODY, outline=outline)

        seen = await _only(worker)

        assert (seen.tokens, seen.prefixes, seen.home) == (len(BODY) // 4, (), "")
        assert len(await worker.take([seen.entry])) == 1


async def test_an_outline_survives_the_way_back(lab: Labs) -> None:
    """The next attempt is placed like the first."""
    async with lab() as here:
        one, other = await here.worker("a"), await here.worker("b")
        await _submit(here, "x", TURN_1)
        [claimed] = await one.take(_entries(await one.look()))

        await one.release("x", 1)

        [again] = await other.take([(await _only(other)).entry])
        assert (claimed.outline, again.outline) == (TURN_1, TURN_1)


async def test_a_window_that_was_meddled_with_is_mended(lab: Labs) -> None:
    """Its hash can be lost by hand only; the reapers make it anew from what is delivered to it."""
    async with lab() as here:
        worker = await here.worker()
        await here.submit("x", "y")
        entries = _entries(await worker.look())
        await here.redis("DEL", f"{here.keys.prefix}:win:std")
        await here.redis("HSET", f"{here.keys.prefix}:win:std", "1-1", "stray")

        await here.tick()

        assert sorted(_entries(await worker.look())) == sorted(entries)
        assert sorted(await _take_all(worker)) == ["x", "y"]


async def test_one_tenant_has_half_of_the_seats_while_others_ask(lab: Labs) -> None:
    """Beyond that its jobs are not to be seen, by whom they would be taken; alone it may have them all."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"slots": 4})
        for n in range(6):
            await _submit(here, f"greedy-{n}", tenant="greedy")
        alone = len((await worker.look()).waiting)
        await worker.take(_entries(await worker.look())[:2])

        await _submit(here, "polite", tenant="polite")

        assert alone == 6
        assert await _take_all(worker) == ["polite"]
        assert (await worker.look()).waiting == []


async def test_what_is_beyond_an_even_share_is_marked(lab: Labs) -> None:
    """While others ask: then its prompts are read behind theirs, wherever they were taken. Who is alone has all."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"slots": 4})
        await here.submit(*(f"greedy-{n}" for n in range(4)), tenant="greedy")
        alone = (await worker.look()).waiting
        await worker.take(_entries(await worker.look())[:1])

        await _submit(here, "polite", tenant="polite")
        together = (await worker.look()).waiting
        taken = await worker.take([job.entry for job in together])

        assert not any(job.is_beyond_share for job in alone)
        assert sorted((job.tenant, job.is_beyond_share) for job in together) == [
            *[("greedy", False), ("greedy", True), ("greedy", True)],
            ("polite", False),
        ]
        assert sorted(job.id for job in taken if job.steps_aside) == ["greedy-2", "greedy-3"]


async def test_a_tenants_oldest_have_its_share(lab: Labs) -> None:
    """However the window keeps them: the oldest must not be passed for as long as its tenant asks."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"slots": 12})
        long = encode_outline(Outline(100, tuple(Prefix(f"{n:016x}", n) for n in range(9))))  # Redis hashes it
        jobs = [Submission(f"greedy-{n}", BODY, HOUR_MS, outline=long) for n in range(14)]
        await here.queue.submit(jobs, tenant="greedy")
        await _submit(here, "polite", tenant="polite")

        greedy = [job for job in (await worker.look()).waiting if job.tenant == "greedy"]

        by_age = sorted(greedy, key=lambda job: (job.arrived, int(job.entry.rpartition("-")[2])))
        assert [job.is_beyond_share for job in by_age] == [False] * 6 + [True] * 8


async def test_what_is_given_back_does_not_step_aside(lab: Labs) -> None:
    """It has waited before, and its reader is in the midst of an answer."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"slots": 4})
        await here.submit(*(f"greedy-{n}" for n in range(4)), tenant="greedy")
        for job in await worker.take(_entries(await worker.look())):
            await worker.release(job.id, job.attempt)
        await _submit(here, "polite", tenant="polite")

        seen = (await worker.look()).waiting
        taken = await worker.take([job.entry for job in seen if job.cls == "re"])

        assert not any(job.is_beyond_share for job in seen)
        assert [job.steps_aside for job in taken] == [False] * 4


async def test_a_flood_does_not_hide_who_comes_behind_it(lab: Labs) -> None:
    """Jobs of who has its share take no room in the window."""
    async with lab() as here:
        worker = await here.worker()
        await worker.beat({"slots": 2})
        await here.submit(*(f"greedy-{n}" for n in range(300)), tenant="greedy")
        await worker.take(_entries(await worker.look())[:1])

        await _submit(here, "polite", tenant="polite")
        seen: list[Waiting] = []
        for _ in range(8):
            seen = list((await worker.look()).waiting) or seen

        assert [job.tenant for job in seen] == ["polite"]


async def test_a_tenant_with_many_waiting_is_refused_while_others_ask(lab: Labs) -> None:
    """Nobody polite is: a bound of its own, so that one tenant's flood is not everybody's wait."""
    async with lab() as here:
        await here.redis("HSET", here.keys.limits, "tenant_waiting", 3)
        await here.submit(*(f"alone-{n}" for n in range(5)), tenant="greedy")
        await _submit(here, "polite", tenant="polite")

        with pytest.raises(Refused, match="5 of your jobs wait") as refused:
            await _submit(here, "one-more", tenant="greedy")
        await _submit(here, "polite-too", tenant="polite")
        await _submit(here, "bulk", tenant="greedy", job_class="lo")

        assert refused.value.code == "too_many_jobs"


async def test_a_tenants_bound_is_the_most_that_may_wait(lab: Labs) -> None:
    """As many as the bound, and no more; who has none waiting may bring more at one go, or could never ask for them."""
    async with lab() as here:
        await here.redis("HSET", here.keys.limits, "tenant_waiting", 3)
        await _submit(here, "polite", tenant="polite")
        for n in range(3):
            await _submit(here, f"one-{n}", tenant="one by one")

        with pytest.raises(Refused, match="3 of your jobs wait"):
            await _submit(here, "one-3", tenant="one by one")

        await here.submit(*(f"at-once-{n}" for n in range(4)), tenant="all at once")


async def test_each_change_of_a_job_is_counted_for_its_tenant(lab: Labs) -> None:
    """What runs does not wait any more, and what went back waits: or a tenant would be refused for what it once had."""
    async with lab() as here:
        worker = await here.worker()
        counts: list[dict[bytes, bytes]] = []

        await _submit(here, "one", tenant="who")
        counts.append(await here.redis("HGETALL", f"{here.keys.prefix}:tenants"))
        await _take_all(worker)
        counts.append(await here.redis("HGETALL", f"{here.keys.prefix}:tenants"))
        await worker.release("one", 1)
        counts.append(await here.redis("HGETALL", f"{here.keys.prefix}:tenants"))

        assert counts == [{b"waiting who": b"1"}, {b"running who": b"1"}, {b"waiting who": b"1"}]


async def test_nothing_is_left_of_what_was_counted(lab: Labs) -> None:
    """When all jobs have ended, however they did, no tenant's count and no window stays."""
    async with lab() as here:
        worker = await here.worker()
        for n in range(4):
            await _submit(here, f"j{n}", tenant=f"t{n % 2}")
        await worker.take(_entries(await worker.look())[:2])

        for n in range(4):
            await here.queue.cancel(f"j{n}")
        await here.bury(worker)

        keys = [key.decode() for key in await here.redis("KEYS", f"{here.keys.prefix}:*")]
        assert [key for key in keys if ":tenants" in key or ":win:" in key] == []
