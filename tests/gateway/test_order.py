"""The relay order, on values alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.order import Mark, Order, Verdict, read_mark
from shared.errors import PoolError, Refused

WHO = "aaaa"


def follow(order: Order, *events: list[int], attempt: int = 1, ends: bool = False) -> list[int]:
    """Step over events with these ids; the client's seqs of those it gets."""
    last = len(events) - 1
    stepped = [
        (order.advance(attempt, ids, is_end=ends and at == last), order.client_seq) for at, ids in enumerate(events)
    ]
    return [seq for is_new, seq in stepped if is_new]


@pytest.mark.parametrize(
    ("first", "count", "verdict"),
    [
        (4, 1, Verdict.DELIVER),
        (2, 3, Verdict.DELIVER),
        (3, 1, Verdict.DROP),
        (1, 3, Verdict.DROP),
        (5, 1, Verdict.BACKFILL),
    ],
)
def test_the_next_is_delivered_the_lower_dropped_the_higher_fetched(first: int, count: int, verdict: Verdict) -> None:
    """have+1 goes to the client; what it has does not; what lies behind a gap is read from the log."""
    order = Order()
    order.judge(1, WHO, 1, 3)
    follow(order, [], [7], [8])

    assert order.judge(1, WHO, first, count) is verdict


def test_a_gap_is_remembered_until_it_is_filled() -> None:
    """A batch that can't be used still tells how far the log has come."""
    order = Order()

    order.judge(1, WHO, 5, 2)

    assert order.is_behind
    follow(order, [], [1], [2], [3], [4], [5])
    assert not order.is_behind


@pytest.mark.parametrize(
    ("attempt", "worker", "first"),
    [(2, "bbbb", 3), (2, "bbbb", 1), (1, "bbbb", 4), (1, "bbbb", 2)],
    ids=["a new attempt that starts where we are", "or at 1", "another worker under the attempt", "the same, behind"],
)
def test_a_batch_that_can_not_be_shows_a_lost_tail(attempt: int, worker: str, first: int) -> None:
    """An event is logged before it is published, so a new attempt begins behind everything seen here."""
    order = Order()
    order.judge(1, WHO, 1, 3)
    follow(order, [], [7], [8])

    assert order.judge(attempt, worker, first, 1) is Verdict.REJOIN


def test_a_late_message_of_an_older_attempt_is_no_sign() -> None:
    """A slow channel repeats what the log has told already; that is dropped without ado."""
    order = Order()
    follow(order, [], [7], attempt=1)
    follow(order, [], [8], attempt=2)

    assert order.judge(1, WHO, 2, 1) is Verdict.DROP


def test_an_event_of_a_script_names_no_worker() -> None:
    """A deadline or cancel is written by whoever noticed; it says nothing about who runs the job."""
    order = Order()
    order.judge(1, WHO, 1, 1)
    follow(order, [])

    assert order.judge(1, "-", 2, 1) is Verdict.DELIVER
    follow(order, [])
    assert order.judge(1, WHO, 3, 1) is Verdict.DELIVER


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=3), min_size=1), st.data())
def test_a_mark_gives_exactly_the_rest(log: list[list[int]], data: st.DataObject) -> None:
    """Whoever stands behind event k gets k+1 … n, by a bare seq and by a guarded id alike."""
    k = data.draw(st.integers(0, len(log)))
    sent = Order()
    follow(sent, *log[:k])

    for mark in (Mark(k), Mark(k, sent.ids, sent.crc)):
        assert follow(Order(mark), *log) == list(range(k + 1, len(log) + 1))


@given(st.lists(st.lists(st.integers(0, 99), max_size=2), min_size=1), st.integers(0, 20))
def test_a_tail_written_anew_with_the_same_ids_goes_on_without_a_seam(log: list[list[int]], lost: int) -> None:
    """After a lost tail that is generated again under a new attempt, the client sees no gap, no repeat, no other id."""
    order = Order()
    follow(order, *log)
    had = order.client_seq
    kept = log[: max(0, len(log) - lost)]

    order.rejoin()
    got = follow(order, *kept, [], *([number] for event in log[len(kept) :] for number in event), [1], [2])

    assert got[-2:] == [got[-1] - 1, got[-1]]
    assert got == list(range(had + 1, had + 1 + len(got)))


def test_other_ids_are_never_spliced() -> None:
    """A regenerated tail that differs in one id ends the stream in stream_diverged."""
    order = Order()
    follow(order, [], [1], [2], [3])

    order.rejoin()

    with pytest.raises(PoolError, match="differs") as raised:
        follow(order, [], [1], [2], [9], [4])
    assert raised.value.code == "stream_diverged"


def test_a_job_that_ends_before_what_was_sent_has_diverged() -> None:
    """Fewer ids than the client has can't be the same text."""
    order = Order()
    follow(order, [], [1], [2])

    order.rejoin()

    with pytest.raises(PoolError):
        follow(order, [], [1], [], ends=True)


def test_a_live_stream_always_gets_its_end() -> None:
    """Behind a lost tail the end may bear a number that the client has seen; it is delivered all the same."""
    order = Order()
    follow(order, [], [1, 2], [], [])

    order.rejoin()

    assert follow(order, [], [1, 2], [], ends=True) == [5]


def test_a_client_that_has_the_end_gets_nothing() -> None:
    """Resuming behind the terminal event is an empty stream."""
    assert follow(Order(Mark(3)), [], [1], [], ends=True) == []


@pytest.mark.parametrize("text", ["x", "-1", "1-2", "1-2-3", "1-2-zzzzzzzz", "1 2", "9" * 16])
def test_a_mark_that_is_none_is_refused_by_name(text: str) -> None:
    """A wrong `after` says so."""
    with pytest.raises(Refused) as raised:
        read_mark(text)

    assert (raised.value.code, raised.value.param) == ("invalid_value", "after")


def test_a_mark_reads_as_a_seq_or_an_id_of_ours() -> None:
    """Both shapes are taken."""
    assert read_mark("17") == Mark(17)
    assert read_mark("17-15-9a3f00c1") == Mark(17, 15, 0x9A3F00C1)
