"""Pub/sub may lose anything; the client loses nothing."""

import asyncio
import random
import time
from collections.abc import Sequence

import pytest

from gateway.delivery import Tally
from gateway.following import may_be_over
from gateway.relay import Relay
from gateway.watch import Watch
from shared.channel import Batch
from shared.claims import Claimed, Row
from shared.event import encode_event
from shared.limits import Limits, write_limits
from shared.queue import LogEntry, Peek, Queue, Submission

from .conftest import Eventually, Serving
from .hand import DONE, MODEL, Hand, Served, at_work, events_of, text_in, tokens

PROMPT = {"prompt": "x"}


async def test_a_gap_is_filled_when_the_next_message_shows_it(serving: Serving) -> None:
    """A lost message costs a read of the log, nothing else."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        await served.hand.say_unheard(job, *tokens("a", "b"))
        await served.hand.say(job, *tokens("c", first=3))

        assert [event["seq"] for event in await client.until(4, within_s=0.4)] == [1, 2, 3, 4]
        await served.hand.end(job, DONE)
        assert [event["seq"] for event in await client.end()] == [1, 2, 3, 4, 5]


async def test_a_lost_last_message_is_found_out_by_silence(serving: Serving) -> None:
    """The last event has no successor to reveal that it is missing: the record is looked at after half a second."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        await client.until(2)
        await served.hand.say_unheard(job, *tokens("b", first=2))
        lost_at = time.monotonic()

        await client.until(3)
        assert time.monotonic() - lost_at < 1.0
        await served.hand.end(job, DONE)


@pytest.mark.parametrize("seed", range(5))
async def test_any_subset_of_messages_may_be_lost(serving: Serving, seed: int) -> None:
    """Whatever is dropped, the text is whole and every event comes once."""
    chance = random.Random(seed)
    texts = [str(number) for number in range(40)]
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT))
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        for number, text in enumerate(texts, 1):
            say = chance.choice([served.hand.say, served.hand.say, served.hand.say_unheard])
            await say(job, *tokens(text, first=number))
        await served.hand.end(job, DONE)
        body = (await posting).text

    assert text_in(body) == "".join(texts)
    assert [event["seq"] for event in events_of(body)] == list(range(1, len(texts) + 3))


async def test_a_cut_channel_is_taken_up_again(serving: Serving) -> None:
    """After its pub/sub connection was killed the gateway subscribes again and reads what it missed."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        await client.until(2)

        await served.hand.broker.command("CLIENT", "KILL", "TYPE", "pubsub")
        await served.hand.say(job, *tokens("b", first=2))
        await client.until(3)
        await served.hand.end(job, DONE)

        assert [event["seq"] for event in await client.end()] == [1, 2, 3, 4]


async def test_what_was_missed_while_the_channel_was_away_is_in_the_log(serving: Serving) -> None:
    """A relay that is told of a gap reads at once; it waits for no silence."""
    async with serving() as served:
        relay = Relay(served.hand.queue, "0" * 32, tally=Tally())
        entry = ["XADD", served.hand.queue.keys.jobs("std"), "*", "id", relay.job_id, "body", '{"prompt":"x"}']
        await served.hand.broker.command(*entry)
        await served.hand.generate("a")

        relay.on_gap()

        assert [delivery.seq for delivery in await relay.next()] == [1, 2, 3]
        assert relay.is_over


class CountingQueue(Queue):
    """A real queue that notes how many jobs each look asked about."""

    looks: list[int]
    reads = 0

    async def peek(self, job_ids: Sequence[str]) -> list[Peek | None]:
        """Look, and count."""
        self.looks.append(len(job_ids))
        return await super().peek(job_ids)

    async def read_log(self, job_id: str, *, after: int = 0, count: int = 1_000) -> list[LogEntry]:
        """Read, and count."""
        self.reads += 1
        return await super().read_log(job_id, after=after, count=count)


async def nothing_on_its_way() -> None:
    """All is heard that there is."""


async def test_all_silent_streams_share_one_look(serving: Serving, eventually: Eventually) -> None:
    """A thousand waiting clients cost one round trip, not a thousand."""
    async with serving() as served:
        queue, watch = CountingQueue(served.hand.broker, MODEL), Watch(nothing_on_its_way)
        queue.looks = []
        for number in range(50):
            watch.add(queue, Relay(queue, f"job-{number}", tally=Tally()))
        watching = asyncio.create_task(watch.run())

        await eventually(lambda: queue.looks)
        watching.cancel()

    assert queue.looks == [50]


@pytest.mark.parametrize("is_late", [True, False], ids=["late", "lost"])
async def test_only_what_is_lost_is_read_from_the_log(broker: str, *, is_late: bool) -> None:
    """A record is ahead of a gateway that lags: what comes by itself is waited for."""
    async with at_work(broker) as hand:
        queue = CountingQueue(hand.broker, MODEL)
        queue.looks = []
        await queue.submit([Submission("0" * 32, b'{"prompt":"x"}', 60_000)])
        job = await hand.generate("a")
        relay = Relay(queue, job.id, tally=Tally())

        async def hear() -> None:
            entries = await Queue(hand.broker, MODEL).read_log(job.id)
            if is_late:
                relay.on_batch(Batch(1, "aaaa", 1, [entry.data for entry in entries]))

        watch = Watch(hear)
        watch.add(queue, relay)
        watching = asyncio.create_task(watch.run())
        seqs: list[int] = []
        while not relay.is_over:
            seqs += [delivery.seq for delivery in await relay.next()]
        watching.cancel()

    assert (seqs, queue.reads) == ([1, 2, 3], 0 if is_late else 1)


async def lose_tail(hand: Hand, job: Claimed, keep: int) -> None:
    """Make Redis forget a job's events behind `keep`, as a crash that tore the AOF does."""
    entries = await hand.queue.read_log(job.id)
    keys = hand.queue.keys
    await hand.broker.command("DEL", keys.log(job.id))
    for entry in entries[:keep]:
        await hand.broker.command("XADD", keys.log(job.id), f"{entry.seq}-{entry.attempt}", "e", entry.data)
    await hand.broker.command("PEXPIRE", keys.log(job.id), 600_000)
    await hand.broker.command("HSET", keys.job(job.id), "seq", keep)


async def take_over(served: Served, job: Claimed) -> tuple[Hand, Claimed]:
    """Hand the job to another worker."""
    other = Hand(served.hand.broker, name="other.2.bbbb")
    await other.join()
    await served.hand.claims.release(job.id, job.attempt)
    return other, await other.claim()


async def test_a_lost_tail_that_is_generated_alike_leaves_no_seam(serving: Serving) -> None:
    """Redis lost what the client has; the next worker generates the same ids; the client sees none of it."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a", "b", "c", "d"))
        await client.until(5)
        await lose_tail(served.hand, job, keep=3)

        other, again = await take_over(served, job)
        await other.say(again, other.started(again), *tokens("c", "d", "e", first=3))
        await other.end(again, *tokens("f", first=6), DONE)

        events = await client.end()
        assert [event["seq"] for event in events] == list(range(1, 9))
        assert "".join(event.get("content", "") for event in events) == "abcdef"


async def test_a_lost_tail_that_is_generated_otherwise_ends_in_an_error(serving: Serving) -> None:
    """Two different texts are never spliced: the stream ends in stream_diverged."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a", "b", "c", "d"))
        await client.until(5)
        await lose_tail(served.hand, job, keep=3)

        other, again = await take_over(served, job)
        await other.say(again, other.started(again), *tokens("x", "y", "z", first=77))

        last = (await client.end())[-1]
        assert last["error"]["code"] == "stream_diverged"
        assert "seq" not in last


async def test_a_tail_that_is_sent_again_is_not_repeated(serving: Serving) -> None:
    """The worker that still has what Redis lost sends it again; the client has it already."""
    async with serving() as served, served.follow(PROMPT) as client:
        hand = served.hand
        job = await hand.claim()
        await hand.say(job, hand.started(job), *tokens("a", "b", "c"))
        await client.until(4)
        await lose_tail(hand, job, keep=2)

        hand.forget(job, 2)
        await hand.say(job, *tokens("b", "c", first=2))
        await hand.end(job, *tokens("d", first=4), DONE)

        assert "".join(event.get("content", "") for event in await client.end()) == "abcd"


async def test_a_vanished_job_ends_its_stream(serving: Serving) -> None:
    """When Redis has lost a job that had begun, its client is told, and nothing is generated a second time."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        await client.until(2)

        await served.hand.broker.command("DEL", served.hand.queue.keys.job(job.id), served.hand.queue.keys.log(job.id))

        assert (await client.end())[-1]["error"]["code"] == "stream_lost"


async def test_a_job_that_was_lost_before_it_began_is_submitted_again(serving: Serving) -> None:
    """A Redis that came back empty costs a waiting client nothing but time."""
    async with serving() as served, served.follow(PROMPT) as client:
        lost = await served.hand.claim()
        await served.hand.broker.command("FLUSHALL")
        await served.hand.join()

        job = await served.hand.generate("a")

        assert job.id == lost.id
        assert "".join(event.get("content", "") for event in await client.end()) == "a"


@pytest.mark.parametrize(
    ("age_s", "retention_ms", "is_over"),
    [(29.0, 60_000, False), (30.0, 60_000, True), (299.0, 600_000, False), (300.0, 600_000, True)],
)
def test_no_job_is_submitted_again_that_may_have_ended(age_s: float, retention_ms: int, *, is_over: bool) -> None:
    """Its record may be gone because its time was over: half of that time, whatever it is set to, is the bound."""
    assert may_be_over(age_s, Limits(retention_ms=retention_ms)) is is_over


async def test_how_long_records_are_kept_bounds_a_second_submit(broker: str) -> None:
    """As the limits in force say when it comes to that."""
    async with at_work(broker) as hand:
        await write_limits(hand.broker, MODEL, {"retention_ms": 60_000})

        assert (await hand.queue.limits()).retention_ms == 60_000


async def test_an_event_makes_a_second_submit_needless(broker: str) -> None:
    """A record that was not there when it was looked at came after all: nothing is submitted again."""
    async with at_work(broker) as hand:
        again: list[float] = []

        async def submit(age_s: float) -> None:
            again.append(age_s)

        relay = Relay(hand.queue, "0" * 32, tally=Tally(), resubmit=submit)
        relay.on_peek(None, 0)
        relay.on_batch(Batch(1, "aaaa", 1, [encode_event(token) for token in tokens("a")]))

        assert len(await relay.next()) == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await relay.next()
        assert again == []


async def test_what_one_publisher_garbles_harms_nobody(serving: Serving) -> None:
    """A message that can't be read is taken as a gap: the log has the truth."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        await client.until(1)
        await served.hand.say_unheard(job, *tokens("a"))
        await served.hand.broker.command("PUBLISH", served.hand.queue.keys.channel(job.id), "nonsense")

        await client.until(2, within_s=0.4)
        await served.hand.end(job, DONE)
        assert [event["seq"] for event in await client.end()] == [1, 2, 3]


@pytest.mark.parametrize(
    "event",
    [
        b'{"status":"token","seq":',
        b'{"status":"token","seq":2,"tokens":[-1]}',
        b'{"status":"done\xff","seq":2}',
        b"[" * 100_000,
    ],
    ids=["cut", "no id", "no UTF-8", "deep"],
)
async def test_an_event_that_can_not_be_read_ends_its_stream(serving: Serving, event: bytes) -> None:
    """A log that is broken is told to its client, in the words for what is ours to mend; others hear on."""
    async with serving() as served, served.follow(PROMPT) as client:
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job))
        await client.until(1)
        await served.hand.claims.append([Row(job.id, job.attempt, 2, [event])])

        assert (await client.end())[-1]["error"]["code"] == "internal"
        assert text_in((await served.run(PROMPT, "a")).text) == "a"
