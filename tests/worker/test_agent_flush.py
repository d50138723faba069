"""The flusher and a real queue: what runs have said gets into the log whole, whatever Redis lost, asked or refused."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from shared.claims import Claimed, Claims
from shared.connection import connect
from shared.event import AnyEvent, Cancelled, Done, Error, Token, Usage, decode_event
from shared.queue import Queue, Submission
from tests.claiming import claim
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from worker.book import Book
from worker.flush import HOLD_MS, Flusher
from worker.run import Run


class Desk:
    """One worker's book and flusher on a queue with one running job."""

    def __init__(self, url: str) -> None:
        self.client = connect(url, name="desk")
        self.queue = Queue(self.client, "m")
        self.claims = Claims(self.client, "m", "mac.1.ab", host="mac")
        self.book = Book()
        self.silenced: list[str] = []
        self.ended: list[str] = []
        self.holds: list[int] = []
        self.flusher = Flusher(
            self.claims,
            self.book,
            silence=lambda run: self.silenced.append(run.id),
            hold=self.holds.append,
            on_end=lambda run: self.ended.append(run.id),
        )

    async def claim(self) -> Run:
        """Take the job, as the worker does."""
        [claimed] = await claim(self.claims)
        return self.hold(claimed)

    def hold(self, claimed: Claimed) -> Run:
        """Open a run in the book."""
        run = Run(claimed, f"{claimed.id}/{claimed.attempt}", prompt_tokens_estimate=1)
        self.book.open(run)
        return run

    async def say(self, run: Run, *ids: int) -> bool:
        """Let the engine say tokens, each in a flush of its own."""
        flushed = True
        for token in ids:
            run.add(Token(content=f"w{token} ", tokens=[token]))
            flushed = await self.flusher.flush()
        return flushed

    async def log(self) -> list[AnyEvent | None]:
        """The job's log, without a hole."""
        entries = await self.queue.read_log("job")
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        return [decode_event(entry.data) for entry in entries]

    async def lose(self, *, keep: int, **record: str) -> None:
        """Let Redis be as it was some events ago."""
        key = self.queue.keys.log("job")
        kept = (await self.queue.read_log("job"))[:keep]
        await self.client.command("DEL", key)
        for entry in kept:
            await self.client.command("XADD", key, f"{entry.seq}-{entry.attempt}", "e", entry.data)
        fields = {"seq": str(keep), **record}
        await self.client.command(
            "HSET", self.queue.keys.job("job"), *(word for pair in fields.items() for word in pair)
        )
        await self.client.command("PEXPIRE", key, 60_000)


Desks = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def desk(broker: str) -> Desks:
    """Give what makes desks, each for one `async with` block, with the job `job` submitted."""

    @asynccontextmanager
    async def make(url: str = broker) -> AsyncGenerator[Desk]:
        here = Desk(url)
        await here.claims.register("weights", {"state": "ready"})
        await here.queue.submit([Submission("job", b'{"prompt":"x"}', 60_000)])
        try:
            yield here
        finally:
            await here.client.aclose()

    return make


def done() -> Done:
    return Done(reason="stop", usage=Usage(1, 1))


async def test_what_was_said_is_logged_and_its_end_closes_the_run(desk: Desks) -> None:
    """The last events and the end go in one step; then the slot is free."""
    async with desk() as here:
        run = await here.claim()
        await here.say(run, 1, 2)
        run.add(done())

        assert await here.flusher.flush()

        assert [type(event) for event in await here.log()] == [Token, Token, Done]
        assert (len(here.book), here.ended, here.silenced) == (0, ["job"], [])


async def test_what_the_engine_handed_back_goes_on_behind_all_that_it_said(desk: Desks) -> None:
    """First Redis has every id, then the job waits again; the engine is not told, since it has let go itself."""
    async with desk() as here:
        run = await here.claim()
        run.add(Token(content="w1 ", tokens=[1]))
        run.hand_back(has_no_room=False)

        assert await here.flusher.flush()

        assert (len(here.book), here.ended, here.silenced) == (0, [], [])
        assert [type(event) for event in await here.log()] == [Token]
        again = await here.claim()
        assert (again.claimed.attempt, again.claimed.seq) == (2, 1)


async def test_a_cancel_that_meets_a_hand_back_ends_the_job(desk: Desks) -> None:
    """Nobody goes on with what nobody wants."""
    async with desk() as here:
        run = await here.claim()
        await here.say(run, 1)
        await here.queue.cancel("job")
        run.hand_back(has_no_room=True)

        await here.flusher.flush()
        await here.flusher.flush()

        assert [type(event) for event in await here.log()] == [Token, Cancelled]
        assert len(here.book) == 0


@pytest.mark.parametrize("keep", [0, 1, 3])
async def test_a_tail_that_redis_lost_is_told_again(desk: Desks, keep: int) -> None:
    """The log ends up as if nothing had happened, word for word."""
    async with desk() as here:
        run = await here.claim()
        await here.say(run, 1, 2, 3, 4)
        before = await here.log()

        await here.lose(keep=keep)
        await here.say(run, 5)
        await here.flusher.flush()

        assert (await here.log())[:4] == before
        assert len(await here.log()) == 5


async def test_what_an_earlier_attempt_said_cannot_be_told_again(desk: Desks) -> None:
    """Its words are not in this worker's memory: another attempt goes on from what is left."""
    async with desk() as here:
        first = await here.claim()
        await here.say(first, 1, 2, 3)
        await here.claims.release("job", 1)
        here.book.close(first)
        second = await here.claim()

        await here.lose(keep=1)
        await here.say(second, 4)

        assert len(here.book) == 0
        assert here.silenced == ["job"]
        assert (await here.queue.survey()).waiting_total == 1


async def test_a_fenced_run_is_silenced_and_forgotten(desk: Desks) -> None:
    """The job is somebody else's: the engine stops, the log is not touched."""
    async with desk() as here:
        run = await here.claim()
        await here.claims.release("job", 1)

        await here.say(run, 1)

        assert (here.silenced, len(here.book)) == (["job"], 0)
        assert await here.log() == []


async def test_a_cancel_ends_the_run_with_what_it_had(desk: Desks) -> None:
    """The answer to a flush asks for it: the engine is silenced, the end is logged behind the tokens."""
    async with desk() as here:
        run = await here.claim()
        run.prompt_tokens = 7
        await here.say(run, 1)
        await here.queue.cancel("job")

        await here.flusher.flush()
        await here.flusher.flush()

        assert here.silenced == ["job"]
        assert (await here.log())[1:] == [Cancelled(seq=2, usage=Usage(7, 1))]
        assert len(here.book) == 0


async def test_a_deadline_ends_the_run_with_an_error(desk: Desks) -> None:
    """Redis's clock says when; the worker says so in the log."""
    async with desk() as here:
        run = await here.claim()
        await here.say(run, 1)
        await here.client.command("HSET", here.queue.keys.job("job"), "deadline", 1)

        await here.flusher.flush()
        await here.flusher.flush()

        (*_, end) = await here.log()
        assert isinstance(end, Error)
        assert end.code == "deadline_exceeded"


async def test_an_end_crosses_a_cancel_and_stands(desk: Desks) -> None:
    """The engine was done before the cancel was heard: the job is done."""
    async with desk() as here:
        run = await here.claim()
        await here.say(run, 1)
        run.add(done())
        await here.queue.cancel("job")

        await here.flusher.flush()

        (*_, end) = await here.log()
        assert isinstance(end, Done)


async def test_while_redis_is_away_nothing_is_lost(desk: Desks, durable_broker: Server) -> None:
    """What could not be told waits, and goes out together when Redis is back."""
    async with desk(durable_broker.url) as here:
        run = await here.claim()
        await here.say(run, 1)
        durable_broker.kill()

        away = await here.say(run, 2, 3)
        durable_broker.start()
        back = await here.flusher.flush()

        assert (away, back) == (False, True)
        ids = [event.tokens for event in await here.log() if isinstance(event, Token)]
        assert [token for tokens in ids for token in tokens] == [1, 2, 3]


async def test_an_engine_whose_words_nobody_gets_is_held_until_redis_is_back(
    desk: Desks, durable_broker: Server, eventually: Eventually
) -> None:
    """Two seconds of tokens are kept; then the engine waits, told anew by each failed flush."""
    async with desk(durable_broker.url) as here:
        run = await here.claim()
        await here.say(run, 1)
        durable_broker.kill()
        assert not await here.say(run, 2)
        assert here.holds == []

        async def is_held() -> bool:
            await here.flusher.flush()
            return len(here.holds) > 1

        await eventually(is_held)
        durable_broker.start()
        await here.flusher.flush()

        assert set(here.holds[:-1]) == {HOLD_MS}
        assert here.holds[-1] == 0


@pytest.mark.parametrize("keep", [1, 2])
async def test_an_end_that_redis_lost_is_told_again(desk: Desks, durable_broker: Server, keep: int) -> None:
    """A crash took the last second: a job that ended would run for ever, if nobody remembered its end."""
    async with desk(durable_broker.url) as here:
        run = await here.claim()
        await here.say(run, 1, 2)
        run.add(done())
        await here.flusher.flush()
        durable_broker.kill()
        here.book.open(run)  # anything to flush finds out that Redis is away
        assert not await here.flusher.flush()
        here.book.close(run)
        durable_broker.start()
        await here.lose(keep=keep, state="running", owner="mac.1.ab")

        for _ in range(3):
            await here.flusher.flush()

        assert [type(event) for event in await here.log()] == [Token, Token, Done]
        assert (len(here.book), here.ended) == (0, ["job"])


async def test_an_end_that_redis_still_has_is_not_told_twice(desk: Desks, durable_broker: Server) -> None:
    """The usual restart lost nothing: the log has one end, and nobody is counted twice."""
    async with desk(durable_broker.url) as here:
        run = await here.claim()
        run.add(done())
        await here.flusher.flush()
        durable_broker.kill()
        other = here.hold(run.claimed)
        assert not await here.flusher.flush()
        here.book.close(other)
        durable_broker.start()

        for _ in range(2):
            await here.flusher.flush()

        assert [type(event) for event in await here.log()] == [Done]
        assert (len(here.book), here.ended) == (0, ["job"])


async def test_a_log_that_cannot_be_written_sends_the_job_back(desk: Desks) -> None:
    """Something sits on its key: that job is given back and its neighbours are logged in the same flush."""
    async with desk() as here:
        await here.queue.submit([Submission("good", b'{"prompt":"y"}', 60_000)])
        bad, good = await here.claim(), await here.claim()
        await here.client.command("SET", here.queue.keys.log("job"), "no stream", "PX", 60_000)
        bad.add(Token(tokens=[1]))
        good.add(Token(tokens=[2]))

        await here.flusher.flush()

        assert len(await here.queue.read_log("good")) == 1
        assert [run.id for run in here.book] == ["good"]
