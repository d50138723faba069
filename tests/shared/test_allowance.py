"""What a key may use, counted in Redis: buckets that fill by themselves, and jobs by their ids."""

import asyncio
from typing import Any, Self

import pytest

from shared.allowance import Allowance, Charged
from shared.connection import Broker, connect
from shared.key_file import KeyLimits

RATE, HELD = "pool:key:{who}:rate", "pool:key:{who}:held"


class Desk:
    """One key's allowance, as one gateway counts it; time is moved in Redis."""

    def __init__(self, client: Broker, **limits: int) -> None:
        self.client = client
        self.allowance = Allowance(client, "who", KeyLimits(**limits))

    async def take(self, tokens: int = 1, *jobs: str, ended: tuple[str, ...] = ()) -> Charged:
        """Take a request's worth."""
        return await self.allowance.take(tokens=tokens, jobs=jobs, ended=ended)

    async def let_pass(self, seconds: float) -> None:
        """Make the last charge one of so many seconds ago."""
        await self.client.command("HINCRBY", RATE, "at", int(-1_000 * seconds))


class Desks:
    """Makes desks on one broker; closes them at the end."""

    def __init__(self, url: str) -> None:
        self._client = connect(url, name="desks", timeout_ms=20_000)  # a hundred connections may be made at once

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def desk(self, **limits: int) -> Desk:
        """One more gateway's view of the same key."""
        return Desk(self._client, **limits)


async def test_a_minutes_worth_may_be_used_at_once_and_no_more(broker: str) -> None:
    """Then each is there again after its share of a minute, and the wait is told to the ms."""
    async with Desks(broker) as desks:
        desk = desks.desk(requests_per_minute=6)

        taken = [await desk.take() for _ in range(7)]

        assert [each.lacking for each in taken] == [None] * 6 + ["requests"]
        assert [each.requests.count for each in taken] == [5, 4, 3, 2, 1, 0, 0]
        assert 9_500 < taken[6].wait_ms <= 10_000
        assert 59_000 < taken[5].requests.full_in_ms <= 60_000


async def test_a_bucket_fills_by_itself_and_never_over(broker: str) -> None:
    """Ten seconds give a sixth of a minute's worth; an hour gives no more than a minute."""
    async with Desks(broker) as desks:
        desk = desks.desk(requests_per_minute=6)
        for _ in range(6):
            await desk.take()

        await desk.let_pass(10)
        after_ten = [(await desk.take()).lacking for _ in range(2)]
        await desk.let_pass(3_600)
        after_an_hour = [(await desk.take()).lacking for _ in range(7)]

        assert after_ten == [None, "requests"]
        assert after_an_hour == [None] * 6 + ["requests"]


async def test_what_is_refused_takes_nothing(broker: str) -> None:
    """Of neither bucket, nor a place: whoever is refused for one thing has lost no other."""
    async with Desks(broker) as desks:
        desk = desks.desk(requests_per_minute=10, tokens_per_minute=100, concurrent_jobs=1)
        await desk.take(10, "a")

        refused = [await desk.take(500, "b"), await desk.take(10, "b"), await desk.take(10, "b", "c")]
        passed = await desk.take(90, "b", ended=("a",))

        assert [each.lacking for each in refused] == ["tokens", "jobs", "jobs"]
        assert {each.requests.count for each in refused} == {9}
        assert (passed.lacking, passed.requests.count, passed.tokens.count) == (None, 8, 0)


async def test_gateways_that_ask_at_once_pass_no_limit_together(broker: str) -> None:
    """A hundred at once, by ten gateways: exactly as many pass as may."""
    async with Desks(broker) as desks:
        many = [desks.desk(requests_per_minute=40, concurrent_jobs=30) for _ in range(10)]

        taken = await asyncio.gather(*(desk.take(1, f"{at}-{n}") for n in range(10) for at, desk in enumerate(many)))

        assert sum(each.lacking is None for each in taken) == 30
        assert sum(each.lacking == "jobs" for each in taken) == 70


async def test_what_was_used_is_put_right(broker: str) -> None:
    """Given back what was not used, and owed what was used beyond; never more than a minute's worth is there."""
    async with Desks(broker) as desks:
        desk = desks.desk(tokens_per_minute=1_000)
        await desk.take(600)

        await desk.allowance.correct(tokens=-500)
        given_back = await desk.take(1)
        await desk.allowance.correct(tokens=-5_000)
        full = await desk.take(1)
        await desk.allowance.correct(tokens=1_499)
        owing = await desk.take(500)

        assert given_back.tokens.count in {898, 899, 900}
        assert full.tokens.count == 999
        assert owing.lacking == "tokens"
        assert 58_000 < owing.wait_ms <= 60_000


async def test_a_debt_shuts_nobody_out_for_ever(broker: str) -> None:
    """However much one job used, ten minutes later it is forgotten."""
    async with Desks(broker) as desks:
        desk = desks.desk(tokens_per_minute=100)
        await desk.allowance.correct(tokens=1_000_000)
        assert (await desk.take(1)).lacking == "tokens"

        await desk.let_pass(601)

        assert (await desk.take(1)).lacking is None


async def test_a_job_counts_once_until_it_has_ended(broker: str) -> None:
    """Asking again for one that counts takes no second place; where places lack, those that count are named."""
    async with Desks(broker) as desks:
        desk = desks.desk(concurrent_jobs=2)

        first, again, lacking = [await desk.take(1, *jobs) for jobs in (("a", "b"), ("b",), ("c",))]
        await desk.allowance.correct(tokens=0, ended=["a"])
        third = await desk.take(1, "c")

        assert (first.begun, again.begun, again.lacking) == (("a", "b"), (), None)
        assert lacking.lacking == "jobs"
        assert sorted(job_id for job_id, _ in lacking.counting) == ["a", "b"]
        assert all(0 <= age_ms < 5_000 for _, age_ms in lacking.counting)
        assert third.begun == ("c",)


async def test_a_clock_that_steps_back_takes_nothing_away(broker: str) -> None:
    """Redis's clock is the only one; after a step back the bucket goes on filling from where it was."""
    async with Desks(broker) as desks:
        desk = desks.desk(requests_per_minute=6)
        await desk.take()
        await desk.let_pass(-3_600)

        assert (await desk.take()).requests.count == 4
        await desk.let_pass(20)
        assert (await desk.take()).requests.count == 5


async def test_a_new_limit_holds_from_the_next_request_on(broker: str) -> None:
    """An operator who lowers it need not wait, and one who raises it gives the difference as time passes."""
    async with Desks(broker) as desks:
        await desks.desk(requests_per_minute=100).take()

        lowered = await desks.desk(requests_per_minute=3).take()
        unlimited = await desks.desk().take(1, "a")

        assert lowered.requests.count == 2
        assert (unlimited.lacking, unlimited.begun) == (None, ())


@pytest.mark.parametrize("is_charged", [True, False])
async def test_nothing_is_kept_for_longer_than_it_counts(broker: str, *, is_charged: bool) -> None:
    """A bucket's key goes when it is full again; no limit, no key at all."""
    async with Desks(broker) as desks:
        desk = desks.desk(**({"requests_per_minute": 60, "concurrent_jobs": 1} if is_charged else {}))
        await desk.take(1, "a")
        await desk.allowance.correct(tokens=-5)

        ttls: list[Any] = [await desk.client.command("PTTL", key) for key in (RATE, HELD)]

        if is_charged:
            assert 0 < ttls[0] <= 3_000
            assert 47 * 3_600_000 < ttls[1] <= 48 * 3_600_000
        else:
            assert ttls == [-2, -2]
