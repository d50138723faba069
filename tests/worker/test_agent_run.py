"""A run: events are numbered once, gathered between flushes, and told again when Redis lost them."""

import msgspec

from shared.claims import Claimed, Row
from shared.event import (
    MAX_EVENTS_PER_APPEND,
    Cancelled,
    Done,
    Error,
    Started,
    Token,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
    decode_event,
)
from worker.run import MAX_BYTES_PER_APPEND, Past, Run, past_of


def claimed(*, attempt: int = 1, seq: int = 0) -> Claimed:
    return Claimed("job", attempt, "std:1-1", b"{}", seq, 9_000, 1_000, "", "", "", 1_500)


def new_run(*, seq: int = 0) -> Run:
    return Run(claimed(seq=seq), "job/1/1", prompt_tokens_estimate=3)


def started() -> Started:
    return Started(worker="w", attempt=1, seed=1, prompt_tokens=3, prompt_hash="h")


def word(n: int) -> Token:
    return Token(content=f"w{n} ", tokens=[n])


def done() -> Done:
    return Done(reason="stop", usage=Usage(3, 1))


def test_tokens_that_gather_between_flushes_are_one_event() -> None:
    """Coalescing needs no timer: what came while Redis was busy goes out together, each id once."""
    run = new_run()
    for event in (started(), word(1), word(2), word(3)):
        run.add(event)

    row = run.take()

    assert row.first_seq == 1
    assert [decode_event(data) for data in row.events] == [
        msgspec.structs.replace(started(), seq=1),
        Token(seq=2, content="w1 w2 w3 ", tokens=[1, 2, 3]),
    ]


def test_an_event_keeps_the_number_it_was_flushed_with() -> None:
    """A flush that failed is repeated as it was, with what is new behind it: a replay can't change what was told."""
    run = new_run()
    run.add(word(1))
    first = run.take()
    run.add(word(2))

    again = run.take()

    assert again.events[0] == first.events[0]
    assert decode_event(again.events[1]) == Token(seq=2, content="w2 ", tokens=[2])


def test_what_redis_has_is_not_sent_again() -> None:
    """A row begins behind the last acknowledged event; without news it is empty, and only asks."""
    run = new_run()
    run.add(started())
    run.take()
    run.acknowledge(1)

    row = run.take()

    assert (row.first_seq, row.events) == (2, [])
    assert not run.has_news


def test_what_is_let_go_takes_in_nothing_more() -> None:
    """What the engine says while a run is handed over the next attempt says again: here it counts nowhere."""
    run = new_run()
    run.add(word(1))
    run.let_go()

    run.add(word(2))
    run.add(done())

    assert [decode_event(data) for data in run.take().events] == [Token(seq=1, content="w1 ", tokens=[1])]
    assert (run.generated, run.ending) == (1, None)


def test_a_later_attempt_numbers_on() -> None:
    """The log has no second beginning: the first event of attempt 2 follows the last of attempt 1."""
    run = new_run(seq=7)
    run.add(started())

    row = run.take()

    assert row.first_seq == 8
    assert decode_event(row.events[0]) == msgspec.structs.replace(started(), seq=8)


def test_a_later_attempt_has_nothing_to_tell_before_it_says_something() -> None:
    """What the attempts before logged is Redis's already: nothing of it is missing."""
    run = new_run(seq=5)

    assert not run.has_news
    assert run.can_tell_again


def test_only_tokens_of_its_own_clear_an_attempt() -> None:
    """The sixteenth does; those that it goes on after say nothing of what it may do to an engine."""
    run = Run(msgspec.structs.replace(claimed(attempt=2, seq=2), entry="sus:1-1"), "job/2/1", prompt_tokens_estimate=3)
    run.past = Past(tuple(range(20)))
    run.generated = 20
    for n in range(15):
        run.add(word(n))
    before = run.is_suspect

    run.add(word(15))

    assert (before, run.is_suspect, run.new_tokens) == (True, False, 16)


def test_what_redis_lost_is_told_again() -> None:
    """Events stay in memory until the attempt ends, so a log that lost its tail gets it back word for word."""
    run = new_run()
    rows = []
    for n in range(5):
        run.add(word(n))
        rows.append(run.take())
        run.acknowledge(n + 1)

    run.acknowledge(2)

    assert run.can_tell_again
    assert run.has_news
    assert run.take().events == [row.events[0] for row in rows[2:]]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def test_what_an_earlier_attempt_told_cannot_be_told_again() -> None:
    """Memory reaches back to this attempt's first event only."""
    run = new_run(seq=7)

    run.acknowledge(5)

    assert not run.can_tell_again


def test_a_call_carries_a_bounded_number_of_events() -> None:
    """After a long outage of Redis, the backlog goes in several calls, and the end in the last one."""
    run = new_run()
    for n in range(MAX_EVENTS_PER_APPEND):
        run.add(word(n))
        run.take()
    run.add(done())

    first = run.take()
    run.acknowledge(MAX_EVENTS_PER_APPEND)
    last = run.take()

    assert len(first.events) == MAX_EVENTS_PER_APPEND
    assert not run.is_last(first)
    assert run.is_last(last)
    assert len(last.events) == 1


def test_nothing_is_told_behind_the_end() -> None:
    """A cancel and the engine's `done` may cross each other: the first end is the end."""
    run = new_run()
    for event in (word(1), Cancelled(), done(), word(2), Error(code="internal", message="")):
        run.add(event)

    events = [decode_event(data) for data in run.take().events]

    assert run.ending == "cancelled"
    assert events == [Token(seq=1, content="w1 ", tokens=[1]), Cancelled(seq=2)]


def test_every_end_has_its_name() -> None:
    """The script that ends a job is told how."""
    endings = []
    for event in (done(), Error(code="internal", message=""), Cancelled()):
        run = new_run()
        run.add(event)
        endings.append(run.ending)  # pyright: ignore[reportUnknownMemberType]

    assert endings == ["done", "error", "cancelled"]


def test_reasoning_and_text_gather_apart() -> None:
    """A client shows them in different places; their ids are counted together."""
    run = new_run()
    run.add(Token(reasoning="hm", tokens=[1]))
    run.add(Token(content="so", tokens=[2]))

    (data,) = run.take().events

    assert decode_event(data) == Token(seq=1, content="so", reasoning="hm", tokens=[1, 2])
    assert run.usage() == Usage(3, 2)


def test_calls_and_warnings_gather_in_order() -> None:
    """None is lost where several come with one flush."""
    run = new_run()
    first, second = ToolCall(0, "a", "f", "{}"), ToolCall(1, "b", "g", "{}")
    run.add(Token(tool_calls=[first], tokens=[1]))
    run.add(Token(content="x", warning="odd", tokens=[2]))
    run.add(Token(tool_calls=[second], tokens=[3]))

    (data,) = run.take().events

    assert decode_event(data) == Token(seq=1, content="x", tool_calls=[first, second], warning="odd", tokens=[1, 2, 3])


def test_logprobs_gather_with_their_ids() -> None:
    """In the order of the ids; those of a row that did not ask are none."""
    run = new_run()
    entries = [TokenLogprob("a", -0.5, [97], [TopLogprob("b", -0.25, [98])]), TokenLogprob("c", -1.0, [99], [])]
    for n, entry in enumerate(entries):
        run.add(Token(content=entry.token, tokens=[n], logprobs=[entry]))

    (data,) = run.take().events

    assert decode_event(data) == Token(seq=1, content="ac", tokens=[0, 1], logprobs=entries)


def test_a_call_carries_a_bounded_number_of_bytes() -> None:
    """Large events go in several calls, each with one at least; the end goes in the last one."""
    run = new_run()
    large = "x" * (MAX_BYTES_PER_APPEND // 2 - 100)
    for text in (large, large, large, large * 3):
        run.add(Token(content=text, tokens=[1]))
        run.take()
    run.add(done())
    calls: list[Row] = []

    while not (calls and run.is_last(calls[-1])):
        calls.append(run.take())
        run.acknowledge(calls[-1].first_seq + len(calls[-1].events) - 1)

    assert [len(call.events) for call in calls] == [2, 1, 1, 1]
    assert run.is_last(calls[-1])


def test_a_past_is_all_ids_with_the_seed_and_the_prompt_they_belong_to() -> None:
    """What the next attempt goes on after is read from the log alone; what it does not know it skips."""
    first = started()
    second = msgspec.structs.replace(first, attempt=2, resumed_tokens=2)

    past = past_of([first, word(1), None, word(2), second, Token(content="x", tokens=[3, 4])])

    assert past == Past((1, 2, 3, 4), "h", 1)
    assert past_of([]) == Past()
