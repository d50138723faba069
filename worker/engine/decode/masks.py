"""Masks: which ids a guided row may draw next, as bits, bit i of word w for id 32 w + i."""

from collections.abc import Sequence
from typing import Protocol

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

_ALL = np.iinfo(np.uint32).max
# What a logit may at most be, for the eight bits of each byte. Looked up, as on a CPU shifting out bits and choosing by
# them takes four times as long.
_CEILINGS = np.where(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), np.inf, -np.inf)


class Guide(Protocol):
    """Knows which ids may come next in one row."""

    def allow(self, words: NDArray[np.uint32]) -> None:
        """Set the bits of the ids that may be next, and clear all others."""
        ...

    def advance(self, token: int) -> None:
        """Go on by the id that was drawn."""
        ...


def masks_of(guides: Sequence[Guide | None], vocabulary: int) -> NDArray[np.uint32]:
    """Ask all rows' guides; every bit is set where a row has none. [rows, words]."""
    words = np.full((len(guides), -(-vocabulary // 32)), _ALL, dtype=np.uint32)
    # One after another: it takes some ten microseconds a row, and handing it to other threads took ten times as long.
    for row, guide in zip(words, guides, strict=True):
        if guide is not None:
            guide.allow(row)
    return words


def within(logits: mx.array, masks: NDArray[np.uint32]) -> mx.array:
    """Make ids impossible whose bit is not set; all other logits [rows, vocabulary] stay as they are, to the bit."""
    octets = masks.astype("<u4", copy=False).view(np.uint8)
    ceilings = mx.array(_CEILINGS, dtype=logits.dtype)[mx.array(octets)]
    return mx.minimum(logits, ceilings.reshape(logits.shape[0], -1)[:, : logits.shape[1]])


def can_only_end(masks: NDArray[np.uint32], ends: Sequence[int]) -> NDArray[np.bool_]:
    """Tell for each row whether nothing is left to it but to end its turn, [rows]."""
    others = masks.copy()
    for end in ends:
        others[:, end >> 5] &= ~np.uint32(1 << (end & 31))
    return np.all(others == 0, axis=1)
