"""A row that has the batch to itself guesses at its next ids, and draws what it would have drawn anyway."""

from dataclasses import replace

import pytest

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings

from .small import KINDS, decoder_of, run

FEW_WORDS = tuple((token, 12.0) for token in range(100, 106))
SETTINGS = {
    "greedy": Settings(logit_bias=FEW_WORDS),
    "sampled": Settings(temperature=0.9, top_k=40, seed=5, logit_bias=FEW_WORDS),
    "any id": Settings(temperature=0.7, top_p=0.95, seed=6, logit_bias=FEW_WORDS),
    "penalties": Settings(
        temperature=0.8, seed=7, top_k=20, repeat_penalty=1.1, repeat_last_n=9, frequency_penalty=0.2,
        logit_bias=FEW_WORDS,
    ),
}  # fmt: skip
ONE_WORD = Settings(logit_bias=((100, 50.0),))
COMPANION = Row(key=99, ids=[3], drawn=0, limit=200, settings=Settings(temperature=1.0, seed=9))
AHEAD = pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])


def alone(decoder: Decoder, row: Row) -> tuple[list[int], int]:
    """What the row draws alone, and in how many steps."""
    before = decoder.steps
    return run(decoder, [row])[row.key], decoder.steps - before


@AHEAD
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_guesses_change_nothing(settings: Settings, is_ahead: bool) -> None:
    """The same ids as in company, where nobody guesses; up to the limit and not beyond."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    row = Row(key=1, ids=[5, 6, 7] * 4, drawn=0, limit=150, settings=settings)
    in_company = run(decoder, [row, COMPANION])[1]

    drawn, steps = alone(decoder, row)

    assert drawn == in_company
    assert steps <= len(drawn) == row.limit


@AHEAD
def test_what_repeats_takes_fewer_steps(is_ahead: bool) -> None:
    """An answer of one word, again and again, is guessed right each time."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)

    drawn, steps = alone(decoder, Row(key=1, ids=[5, 6, 7], drawn=0, limit=150, settings=ONE_WORD))

    assert drawn == [100] * 150
    assert steps < 150


@AHEAD
def test_a_resumed_row_guesses_from_what_it_said_before(is_ahead: bool) -> None:
    """Positions, penalties and limits count on from where the earlier attempt was."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    row = Row(key=1, ids=[5, 6, 7], drawn=0, limit=120, settings=SETTINGS["penalties"])
    whole = run(decoder, [row, COMPANION])[1]

    for at in (1, 40, 119):
        resumed = replace(row, key=at + 10, ids=[*row.ids, *whole[:at]], drawn=at)
        assert alone(decoder, resumed)[0] == whole[at:]


@AHEAD
def test_company_may_come_and_go(is_ahead: bool) -> None:
    """A row that guessed goes on in a batch, and guesses again when it is alone again."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    row = Row(key=1, ids=[5, 6, 7] * 4, drawn=0, limit=150, settings=SETTINGS["penalties"])
    undisturbed = run(decoder, [row, COMPANION])[1]
    guests = {20: replace(COMPANION, key=2), 60: replace(COMPANION, key=3)}
    drawn: list[int] = []

    decoder.add(row)
    while len(drawn) < row.limit:
        decoder.admit()
        drawn += [token for key, token, _ in decoder.decode() if key == row.key]
        if guests and len(drawn) >= min(guests):
            decoder.add(guests.pop(min(guests)))
        decoder.drop({2} if len(drawn) > 40 else set())
        decoder.drop({3} if len(drawn) > 90 else set())
        decoder.prefill()

    assert drawn == undisturbed


@pytest.mark.parametrize("kind", ["sliding window", "hybrid", "state space"])
def test_a_state_that_can_not_be_taken_back_is_not_guessed_on(kind: str) -> None:
    """One id a step, as ever."""
    decoder = decoder_of(KINDS[kind]())
    row = Row(key=1, ids=[5, 6, 7] * 4, drawn=0, limit=40, settings=SETTINGS["greedy"])

    drawn, steps = alone(decoder, row)

    assert steps == len(drawn) == row.limit


def test_what_guesses_left_behind_is_no_part_of_what_is_kept() -> None:
    """The prompt cache keeps the ids that were drawn: a next turn goes on from them as if it were read anew."""
    build = KINDS["full attention"]
    warm = decoder_of(build(), cache_bytes=1 << 24)
    first = Row(key=1, ids=[5, 6, 7] * 30, drawn=0, limit=100, settings=ONE_WORD)
    drawn, steps = alone(warm, first)
    assert steps < first.limit
    second = Row(key=2, ids=[*first.ids, *drawn, 8, 9], drawn=0, limit=30, settings=Settings())

    assert run(warm, [second]) == run(decoder_of(build()), [second])
