"""Rows for measurements of the decoder itself, in the process that measures."""

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings


def row(key: int, tokens: int, limit: int, settings: Settings) -> Row:
    """A prompt of so many ids, another one for each key."""
    ids = [(7 * place + 13 * key) % 1_000 + 5 for place in range(tokens)]
    return Row(key=key, ids=ids, drawn=0, limit=limit, settings=settings)


def read_all(decoder: Decoder) -> None:
    """Read every prompt that waits."""
    while decoder.waiting or decoder.tokens_to_read:
        decoder.admit()
        decoder.prefill()
