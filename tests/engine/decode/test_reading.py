"""Whose prompt is read next: bulk work's steps aside for one that somebody waits for; in the text nothing shows."""

from collections.abc import Sequence
from dataclasses import replace

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.reading import Waiting
from worker.engine.decode.row import Row

from .small import KINDS, decoder_of, rows, run

BULK, CHAT, LATER = (
    replace(row, steps_aside=row.key == 0, settings=replace(row.settings, temperature=0.0))
    for row in rows((300, 6), (200, 6), (180, 6))
)


def told_in_order(decoder: Decoder, given: Sequence[Row], late: Sequence[Row]) -> dict[int, list[int]]:
    """Decode rows to their limits, some of which come when two chunks have been read; by their first ids."""
    for row in given:
        decoder.add(row)
    for _ in range(2):
        decoder.admit()
        decoder.prefill()
    for row in late:
        decoder.add(row)
    told: dict[int, list[int]] = {}
    while not decoder.is_idle:
        decoder.admit()
        for each in decoder.decode():
            told.setdefault(each.key, []).append(each.token)
        decoder.drop({key for key, ids in told.items() if len(ids) == 6})
        decoder.prefill()
    return told


def test_bulk_work_s_long_prompt_steps_aside() -> None:
    """Who comes later, with a long prompt too, is answered first; what was read of the other is not read again."""
    decoder, alone = decoder_of(KINDS["full attention"]()), decoder_of(KINDS["full attention"]())

    told = told_in_order(decoder, [BULK], [CHAT, LATER])

    assert list(told) == [CHAT.key, LATER.key, BULK.key]
    assert told == {row.key: run(alone, [row])[row.key] for row in (BULK, CHAT, LATER)}


def test_no_other_s_prompt_steps_aside() -> None:
    """First come, first read, among those who wait in person and among bulk work."""
    decoder = decoder_of(KINDS["full attention"]())

    assert list(told_in_order(decoder, [CHAT], [LATER])) == [CHAT.key, LATER.key]
    assert list(told_in_order(decoder, [BULK], [replace(CHAT, steps_aside=True)])) == [BULK.key, CHAT.key]


def test_one_that_stepped_aside_can_be_dropped() -> None:
    """By its client's cancel, as can the one that is read before it; the other goes on."""
    for gone, left in ((BULK, CHAT), (CHAT, BULK)):
        decoder = decoder_of(KINDS["full attention"]())
        decoder.add(BULK)
        decoder.admit()
        decoder.prefill()
        decoder.add(CHAT)
        decoder.admit()
        decoder.prefill()

        decoder.drop({gone.key})

        assert list(told_in_order(decoder, [], [])) == [left.key]


def test_bulk_work_is_passed_only_so_often() -> None:
    """However many come in person, every twelfth turn is its own."""
    waiting = Waiting()
    waiting.add(BULK)
    turns: list[bool] = []

    for key in range(10, 40):
        waiting.add(replace(CHAT, key=key))
        row = next(iter(waiting))
        waiting.take([row])
        turns.append(row.steps_aside)

    assert turns.index(True) == 11
    assert turns.count(True) == 1


def test_a_long_prompt_of_bulk_work_steps_aside_only_so_often() -> None:
    """Long ones that come in person one after the other don't keep it from being read: after eleven it is its turn."""
    decoder = decoder_of(KINDS["full attention"]())
    keys = iter(range(10, 40))
    told: dict[int, list[int]] = {}
    decoder.add(BULK)
    decoder.admit()
    decoder.prefill()

    while BULK.key not in told:
        if not decoder.waiting:
            decoder.add(replace(CHAT, key=next(keys)))
        decoder.admit()
        for each in decoder.decode():
            told.setdefault(each.key, []).append(each.token)
        decoder.drop({key for key, ids in told.items() if len(ids) == 6})
        decoder.prefill()

    assert len(told) == 12
