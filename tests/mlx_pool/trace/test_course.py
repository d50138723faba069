"""A job's course by made facts: what is told, in which order, and where the time went."""

from mlx_pool.trace.course import Course
from mlx_pool.trace.moment import Moment
from shared.event import AnyEvent, Done, Error, Started, Token, Usage, encode_event
from shared.life import Life, tell
from shared.queue import LogEntry

_WAITS = {"state": "waiting", "class": "std", "enqueued": "1000"}
_CLAIMED = _WAITS | {"state": "running", "attempt": "1", "claim 1": "1200 mac-1.7.ab"}
_BACK = _CLAIMED | {"state": "waiting", "back 1": "3000"}
_AGAIN = _BACK | {"state": "running", "attempt": "2", "claim 2": "3100 mac-2.8.cd"}
_ENDED = _AGAIN | {"state": "ended", "ended": "4000"}


def life(record: dict[str, str]) -> Life:
    return tell("a", "tiny", record, [])


def started(seq: int, attempt: int) -> LogEntry:
    return _entry(attempt, Started(seq=seq, worker="w", attempt=attempt, seed=1, prompt_tokens=8, prompt_hash="h"))


def token(seq: int, attempt: int, count: int = 1) -> LogEntry:
    return _entry(attempt, Token(seq=seq, tokens=[5] * count))


def done(seq: int, attempt: int) -> LogEntry:
    return _entry(attempt, Done(seq=seq, reason="length", usage=Usage(8, 4)))


def _entry(attempt: int, event: AnyEvent) -> LogEntry:
    return LogEntry(event.seq, attempt, encode_event(event))


def words(moments: list[Moment]) -> list[tuple[str, int, int | None]]:
    return [(each.what, each.attempt, each.at_ms) for each in moments]


def lived() -> tuple[Course, list[Moment]]:
    """A job that was seen to go from one worker to another."""
    course = Course(life(_WAITS))
    told = [course.begin()]
    course.learn(life(_CLAIMED))
    for entry, at_ms in ((started(1, 1), 1250), (token(2, 1), 1500), (token(3, 1), 1600)):
        told += course.hear(entry, at_ms)
    told += course.flush(life(_BACK))
    course.learn(life(_AGAIN))
    for entry, at_ms in ((started(4, 2), 3150), (token(5, 2), 3300)):
        told += course.hear(entry, at_ms)
    course.learn(life(_ENDED))
    told += course.hear(done(6, 2), 4010)
    return course, told


def test_a_job_is_told_of_from_worker_to_worker() -> None:
    """Each moment once, in its order: claims and hand-overs by the record's times, the rest as it was seen coming."""
    _, told = lived()

    first = [("claimed", 1, 1200), ("started", 1, 1250), ("first_token", 1, 1500), ("given_back", 1, 3000)]
    second = [("claimed", 2, 3100), ("started", 2, 3150), ("first_token", 2, 3300), ("done", 2, 4010)]
    assert words(told) == [("queued", 0, 1000), *first, *second]


def test_each_part_says_how_long_it_took() -> None:
    """Waiting at a claim, the prefill at a first token, tokens at the end; a hand-over tells how long nothing came."""
    _, told = lived()

    took = {(each.what, each.attempt): each.took_ms for each in told if each.took_ms is not None}
    assert took == {
        ("claimed", 1): 200, ("first_token", 1): 300, ("given_back", 1): 1500,
        ("claimed", 2): 100, ("first_token", 2): 200, ("done", 2): 710,
    }  # fmt: skip
    assert [each.gap_ms for each in told if each.gap_ms is not None] == [1400, 1700]


def test_in_the_end_all_time_is_accounted_for() -> None:
    """What was waited, read, said and lost between two workers is the whole."""
    whole = lived()[0].whole()

    parts = [whole.waited_ms, whole.prefill_ms, whole.tokens_ms, whole.between_ms]
    assert parts == [200, 500, 2210, 100]
    assert sum(part or 0 for part in parts) == whole.total_ms == 3010
    assert (whole.attempts, whole.tokens, whole.longest_gap_ms) == (2, 3, 1700)


def test_what_was_logged_before_anybody_looked_has_no_times_of_its_own() -> None:
    """Nothing is made up: the record's times stand, the others are left out."""
    course = Course(life(_ENDED))

    told = [
        moment
        for entry in (started(1, 1), token(2, 1), started(3, 2), done(4, 2))
        for moment in course.hear(entry, None)
    ]

    assert words(told) == [
        ("claimed", 1, 1200), ("started", 1, None), ("first_token", 1, None), ("given_back", 1, 3000),
        ("claimed", 2, 3100), ("started", 2, None), ("done", 2, None),
    ]  # fmt: skip
    assert (course.whole().waited_ms, course.whole().prefill_ms) == (200, None)


def test_a_stream_that_falls_silent_is_told_of_once() -> None:
    """And again only after it has gone on."""
    course = Course(life(_CLAIMED))
    told = [*course.hear(token(1, 1), 2_000), *course.idle(2_900), *course.idle(3_100), *course.idle(4_000)]
    told += [*course.hear(token(2, 1), 4_100), *course.idle(5_200)]

    assert [(each.what, each.gap_ms) for each in told if each.what == "silence"] == [
        ("silence", 1_100),
        ("silence", 1_100),
    ]


def test_tokens_are_told_of_once_a_second() -> None:
    """With their pace, and the longest silence among them."""
    course = Course(life(_CLAIMED))
    told = [moment for n in range(1, 26) for moment in course.hear(token(n, 1, 2), 2_000 + 100 * n + 50 * (n == 7))]

    stretches = [(each.tokens, each.tokens_per_s, each.gap_ms) for each in told if each.what == "tokens"]
    assert stretches == [(22, 20.0, 150), (42, 20.0, 100)]


def test_an_attempt_that_said_nothing_is_told_of_as_well() -> None:
    """A job that ended its worker before it got a token leaves only times in its record."""
    course = Course(life(_WAITS))
    failed = Error(seq=1, code="poisoned", message="It ends engines.")
    course.learn(life(_BACK))

    told = list(course.hear(LogEntry(1, 1, encode_event(failed)), 3_500))

    assert [each.what for each in told] == ["claimed", "given_back", "error"]
    assert told[-1].note == "poisoned: It ends engines."


def test_the_line_is_told_of_where_it_moves() -> None:
    """Who waits hears how many are before him, and not twice the same."""
    course = Course(life(_WAITS))

    told = [moment for before in (3, 3, 1) for moment in course.wait(before, 1_500)]

    assert [moment.before for moment in told] == [3, 1]
