"""Masks in the decode step: a guided row draws what it may, and nobody else notices."""

import dataclasses

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from worker.engine.decode.controls import controls_of
from worker.engine.decode.masks import can_only_end, masks_of, within
from worker.engine.decode.recent import Recent
from worker.engine.decode.row import Row
from worker.engine.decode.sampling import draw
from worker.engine.decode.settings import Settings

from .small import KINDS, VOCABULARY, decoder_of, rows, run

ENDS = [2, 5]
MIXED = rows((5, 30), (1, 20), (40, 25), (140, 10), (20, 40), (3, 5))


class Stepping:
    """Allows the ids that leave a remainder, which goes round with every id: so it must be told each, and in order."""

    def __init__(self, of: int = 7) -> None:
        self.told: list[int] = []
        self._of = of

    @property
    def _turn(self) -> int:
        return len(self.told) % self._of

    def allow(self, words: NDArray[np.uint32]) -> None:
        """Allow one remainder."""
        words[:] = bits([token for token in range(VOCABULARY) if token % self._of == self._turn], words.size)

    def advance(self, token: int) -> None:
        """Go round."""
        assert token % self._of == self._turn
        self.told.append(token)


def bits(ids: list[int], words: int) -> NDArray[np.uint32]:
    """The bits of these ids."""
    flags = np.zeros(words * 32, dtype=np.uint8)
    flags[ids] = 1
    return np.packbits(flags, bitorder="little").view(np.uint32)


def guided(rows: list[Row], *, drawn: int = 0) -> list[Row]:
    """Every other row with a guide of its own, led through what was drawn."""
    guides = {row.key: Stepping() for row in rows if row.key % 2}
    for row in rows:
        for token in row.ids[len(row.ids) - drawn :] if row.key in guides else ():
            guides[row.key].advance(token)
    return [dataclasses.replace(row, guide=guides.get(row.key)) for row in rows]


@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_guided_rows_are_the_same_together_and_alone(is_ahead: bool) -> None:
    """Whether steps are computed ahead or not; and the others are what they are among the unguided."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    plain = run(decoder, MIXED)
    alone = [run(decoder, [row])[row.key] for row in guided(MIXED)]

    together = run(decoder, guided(MIXED))

    assert list(together.values()) == alone
    assert {key: ids for key, ids in together.items() if not key % 2} == {
        key: ids for key, ids in plain.items() if not key % 2
    }
    for key in (1, 3, 5):
        assert [token % 7 for token in together[key]] == [at % 7 for at in range(len(together[key]))]


@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_guide_has_been_told_what_the_caller_is_told(is_ahead: bool) -> None:
    """So the caller can ask it whether the text is complete."""
    decoder = decoder_of(KINDS["full attention"](), is_ahead=is_ahead)
    row = guided([MIXED[1]])[0]
    assert isinstance(row.guide, Stepping)
    decoder.add(row)
    decoder.admit()
    decoder.prefill()
    heard: list[int] = []

    for _ in range(9):
        heard += [each.token for each in decoder.decode()]
        assert row.guide.told == heard

    assert len(heard) >= 8


def test_a_resumed_guided_row_goes_on_as_the_undisturbed_one() -> None:
    """A guide that was led through the ids of earlier attempts is where theirs was."""
    decoder = decoder_of(KINDS["full attention"]())
    whole = run(decoder, guided(MIXED))
    resumed = [dataclasses.replace(row, ids=[*row.ids, *whole[row.key][:3]], drawn=3) for row in MIXED]

    rest = run(decoder, guided(resumed, drawn=3))

    assert rest == {key: ids[3:] for key, ids in whole.items()}


SAMPLED = Settings(temperature=0.8, top_k=40, top_p=0.95, repeat_penalty=1.3, seed=4)
WAYS = [
    Settings(),
    SAMPLED,
    dataclasses.replace(SAMPLED, top_k=0, min_p=0.1),
    Settings(temperature=2.0, logit_bias=((1, 100.0), (7, -100.0)), seed=9),
    Settings(temperature=1.0, top_k=1_000, min_tokens=9),
]


@pytest.mark.parametrize("kind", [mx.float32, mx.bfloat16, mx.float16], ids=str)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_masked_is_never_drawn(way: Settings, kind: mx.Dtype) -> None:
    """However unlikely what is left, however the row samples, and in whatever type the model computes."""
    vocabulary, ids = 3_001, [7, 64, 2_999, 3_000]
    logits = mx.random.normal((40, vocabulary), key=mx.random.key(1)) * 20
    logits[:, mx.array(ids)] = -50.0
    masks = np.tile(bits(ids, 94), (40, 1))
    recent = Recent.of([([1, 7], way)] * 40)

    drawn = draw(
        logits.astype(kind), controls_of([way] * 40), recent, np.arange(40), mx.array(ENDS, mx.int32), masks=masks
    )

    assert set(np.array(drawn).tolist()) <= set(ids)


def test_a_complete_text_can_not_be_drawn_out() -> None:
    """`min_tokens` holds the end back while there is anything else to say, and no longer."""
    rows = [Settings(temperature=1.0, min_tokens=9)] * 3
    masks = np.stack([bits([2], 2), bits([2, 5], 2), bits([2, 40], 2)])
    assert can_only_end(masks, ENDS).tolist() == [True, True, False]

    drawn = draw(mx.zeros((3, 60)), controls_of(rows), None, np.zeros(3, int), mx.array(ENDS, mx.int32), masks=masks)

    assert drawn.tolist() in ([2, 2, 40], [2, 5, 40])


def test_rows_without_a_guide_keep_their_logits_to_the_bit() -> None:
    """All bits of theirs are set, also those of ids in the last word that the model does not have."""
    logits = mx.random.normal((2, VOCABULARY))

    left = within(logits, masks_of([None, Stepping()], VOCABULARY))

    assert mx.array_equal(left[0], logits[0])
    assert mx.array_equal(mx.isinf(left[1]), mx.arange(VOCABULARY) % 7 > 0)
