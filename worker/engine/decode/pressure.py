"""How short memory is, and which rows have to go so that the others can stay: plain functions on values.

Two marks, as shares of the memory that the engine may have. Above the soft one nobody new comes in while others are
there: they end, and free theirs. Above the hard one rows are handed back, to go on elsewhere or here later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Pressure = Literal["", "soft", "hard"]

SOFT = 0.85
HARD = 0.95
# Where it ends again: below the soft mark, or one row's end and the next one's beginning would swing around it.
CALM = 0.80


@dataclass(frozen=True, slots=True)
class Held:
    """A row that holds a slot."""

    key: int
    kv_bytes: int  # its share of the state that it stands in, which is what its leaving frees
    ids: int  # how many were computed for it, which whoever goes on with it has to read again


def pressure_of(used_bytes: int, limit_bytes: int, before: Pressure) -> Pressure:
    """Tell how short memory is; what was short before stays so until it is calm."""
    if used_bytes >= limit_bytes * HARD:
        return "hard"
    if used_bytes >= limit_bytes * (CALM if before else SOFT):
        return "soft"
    return ""


def to_spare(used_bytes: int, limit_bytes: int) -> int:
    """Tell how much of what is only kept has to go: what is above the soft mark, and above the hard one all there is.

    No row leaves while anything is kept.
    """
    return used_bytes if used_bytes >= limit_bytes * HARD else _excess(used_bytes, limit_bytes)


def too_many(used_bytes: int, limit_bytes: int, rows: Sequence[Held]) -> list[int]:
    """Choose the keys of the rows to hand back, given all rows, the oldest first; none below the hard mark.

    Those that free most for the least work lost go first, the newest among equals, until the rest is below the soft
    mark; one always stays. A row that has the engine to itself goes only beyond the limit itself, and only if it is
    what is too much: without it memory would be below the hard mark.
    """
    if used_bytes < limit_bytes * HARD or not rows:
        return []
    if len(rows) == 1:
        is_too_large = used_bytes >= limit_bytes and used_bytes - rows[0].kv_bytes < limit_bytes * HARD
        return [rows[0].key] if is_too_large else []
    leaving: list[int] = []
    to_free = _excess(used_bytes, limit_bytes)
    ranked = sorted(enumerate(rows), key=lambda placed: (placed[1].ids / max(1, placed[1].kv_bytes), -placed[0]))
    for _, row in ranked[:-1]:
        if to_free <= 0:
            break
        leaving.append(row.key)
        to_free -= row.kv_bytes
    return leaving


def _excess(used_bytes: int, limit_bytes: int) -> int:
    return max(0, used_bytes - int(limit_bytes * SOFT))
