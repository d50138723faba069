"""What is told of a job as lines for a person."""

import pytest

from mlx_pool.trace.drawn import last_line, line
from mlx_pool.trace.moment import Moment, Whole

_WORKER = "mac-1.7.ab"
LINES = [
    (Moment(what="waiting", at_ms=1_000, before=0), "waits, and is next"),
    (Moment(what="waiting", at_ms=1_000, before=3), "waits, 3 before it"),
    (
        Moment(what="claimed", at_ms=1_000, attempt=2, worker=_WORKER, took_ms=40),
        "claimed by mac-1.7.ab, attempt 2, waited 0.040 s",
    ),
    (
        Moment(what="first_token", at_ms=1_000, took_ms=90, gap_ms=800),
        "first token, after 0.090 s, 0.800 s behind the last one",
    ),
    (
        Moment(what="tokens", at_ms=1_000, tokens=64, tokens_per_s=32, gap_ms=31),
        "64 tokens, 32.0/s, longest gap 0.031 s",
    ),
    (
        Moment(what="silence", at_ms=1_000, tokens=9, gap_ms=1_100, worker=_WORKER),
        "silent for 1.100 s after 9 tokens, at mac-1.7.ab",
    ),
    (Moment(what="given_back", at_ms=1_000, tokens=9, worker="\x1b[2J"), "handed over by ·[2J after 9 tokens"),
    (Moment(what="done", at_ms=1_000, tokens=9, note="stop", took_ms=700), "done: stop, 9 tokens, in 0.700 s"),
]


@pytest.mark.parametrize(("moment", "words"), LINES, ids=[f"{moment.what}-{n}" for n, (moment, _) in enumerate(LINES)])
def test_a_moment_is_a_line(moment: Moment, words: str) -> None:
    """With the time of day, how long after the beginning, and words that steer no terminal."""
    drawn = line(moment, 250)

    assert drawn.split(maxsplit=3)[1:3] == ["+0.750", "s"]
    assert drawn.endswith(f" s {words}")


def test_a_moment_whose_time_nobody_knows_has_none() -> None:
    """Blanks, and no time that was made up."""
    assert line(Moment(what="started", note="8 tokens of prompt"), 250) == f"{'':23} prefill: 8 tokens of prompt"


def test_the_last_line_says_where_the_time_went() -> None:
    """What is not known is left out."""
    seen = Whole(attempts=2, tokens=300, total_ms=3_500, waited_ms=10, between_ms=400, prefill_ms=90, tokens_ms=3_000)
    unseen = Whole(attempts=1, tokens=300, total_ms=3_010, waited_ms=10, ran_ms=3_000)

    assert last_line(seen) == (
        "3.500 s in all, 2 attempt(s), 300 tokens: waited 0.010 s, prefill 0.090 s, tokens 3.000 s (100.0/s), "
        "between workers 0.400 s"
    )
    assert last_line(unseen) == "3.010 s in all, 1 attempt(s), 300 tokens: waited 0.010 s, ran 3.000 s"
