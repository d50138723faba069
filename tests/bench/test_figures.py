"""From what streams brought to the figures of a result."""

import pytest

from bench.load.figures import result_of, spread
from bench.load.orders import Spread
from bench.load.recording import Broken, Line, Piece, Recording, Story, read

MS = 1_000_000


def recording(*lines: bytes) -> Recording:
    return Recording(0, 9 * MS, 1, [Line(number * MS, line) for number, line in enumerate(lines, 1)])


def test_tokens_are_counted_by_the_engine_and_not_by_events() -> None:
    """Under load one event holds many tokens; the stream's own `done` says how many there were."""
    story = read(
        recording(
            b'{"status":"started","seq":1}',
            b'{"status":"token","seq":2,"content":"abc"}',
            b'{"status":"done","seq":3,"usage":{"completion_tokens":5,"prompt_tokens":1}}',
        )
    )

    assert (story.tokens, story.pieces) == (5, [Piece(2 * MS, "abc")])


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b'{"status":"error","seq":1,"error":{}}',),
        (b'{"status":"token","seq":2,"content":"a"}', b'{"status":"done","seq":3,"usage":{"completion_tokens":1}}'),
    ],
)
def test_a_stream_that_is_not_whole_is_no_measurement(lines: tuple[bytes, ...]) -> None:
    """Nothing, an error, or an event that is missing: a fast path that loses tokens is no path."""
    with pytest.raises(Broken):
        read(recording(*lines))


def test_a_result_spans_from_the_first_request_to_the_last_end() -> None:
    """Two streams, of which one began and ended later."""
    early = Story(0, 40 * MS, 3, [Piece(10 * MS, "a"), Piece(30 * MS, "bc")], 2)
    late = Story(20 * MS, 1_000 * MS, 1, [Piece(50 * MS, "d")], 6)

    result = result_of([early, late])

    assert (result.seconds, result.tokens, result.events, result.reads, result.characters) == (1.0, 8, 3, 4, 4)
    assert result.first_ms == Spread(10.0, 30.0, 30.0)
    assert result.gap_ms == Spread(20.0, 20.0, 20.0)


def test_every_token_of_an_event_has_its_own_delay() -> None:
    """The clock engine's stamps stay apart when tokens were gathered into one event."""
    piece = Piece(100 * MS, f"{90 * MS}\n{99 * MS}\n")

    result = result_of([Story(0, 100 * MS, 1, [piece], 2)], is_clocked=True)

    assert result.lag_ms == Spread(1.0, 10.0, 10.0)


def test_percentiles_are_values_that_were_measured() -> None:
    """By nearest rank; nothing is interpolated, and nothing measured is zeros."""
    assert spread([float(value) for value in range(1, 101)]) == Spread(50.0, 99.0, 100.0)
    assert spread([]) == Spread(0.0, 0.0, 0.0)
