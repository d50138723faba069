"""A relay by itself: what comes while a client, a look or the news is under way, and the log need not be read."""

from gateway.delivery import Tally
from gateway.relay import BUFFER_BYTES, Relay
from shared.channel import Batch
from shared.event import Queued, encode_event
from shared.queue import LogEntry, Peek

from .hand import tokens


class Unread:
    """A log that nobody has a reason to read."""

    async def read_log(self, job_id: str, *, after: int = 0, count: int = 1_000) -> list[LogEntry]:
        """Say that somebody did."""
        raise AssertionError(f"{job_id}: read {count} behind {after}")


def batch(first: int, *texts: str) -> Batch:
    return Batch(1, "aaaa", first, [encode_event(token) for token in tokens(*texts, first=first)])


def running(seq: int) -> Peek:
    return Peek("running", seq, 1, "", 0)


async def test_news_takes_no_events_place() -> None:
    """How the job waits is told late, with a token in hand: the token is given, the news is not."""
    relay = Relay(Unread(), "job", tally=Tally())
    relay.tell(Queued(waiting=2))
    first = await relay.next()
    relay.on_batch(batch(1, "a", "b"))

    relay.tell(Queued(waiting=1))

    assert [delivery.seq for delivery in first] == [0]
    assert [delivery.seq for delivery in await relay.next()] == [1, 2]


async def test_a_long_answer_that_is_read_fills_no_buffer() -> None:
    """What the client has taken counts no more: its stream never has to be read from the log."""
    tally = Tally()
    relay = Relay(Unread(), "job", tally=tally)

    for seq in range(1, 9):
        relay.on_batch(batch(seq, "x" * (BUFFER_BYTES // 3)))
        assert [delivery.seq for delivery in await relay.next()] == [seq]

    assert tally.overflows == 0


async def test_events_that_overtake_a_look_are_no_lost_tail() -> None:
    """The record was read before they were logged: that it is behind what was seen since says nothing."""
    relay = Relay(Unread(), "job", tally=Tally())
    relay.on_batch(batch(1, "a"))
    asked_at_seq = relay.seq
    relay.on_batch(batch(2, "b"))

    relay.on_peek(running(1), asked_at_seq)

    assert relay.rejoins == 0
    assert [delivery.seq for delivery in await relay.next()] == [1, 2]


async def test_a_look_that_finds_nothing_new_puts_off_the_next() -> None:
    """Silent streams are looked at less and less often, or hundreds of them would keep Redis busy."""
    relay = Relay(Unread(), "job", tally=Tally())
    first_at = relay.silence.look_at

    relay.on_peek(running(0), 0)

    assert relay.silence.look_at > first_at + 0.25
