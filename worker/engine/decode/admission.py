"""Which waiting rows are read next, and in chunks of what size: plain functions on values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# What rows that decode are kept waiting by one chunk; and how many times as long where more wait than decode, which is
# also what an idle engine may be deaf to a cancel.
_GAP_S = 0.25
_MOST_PATIENCE = 4
# Few that wait are worth two such pauses: read one after the other they cost as long, and a step between each two.
_PATIENCE_FOR_SEVERAL = 2
# What a burst may take at once on a slow machine: read in one go its rows decode together, and all end sooner. On a
# fast one the chunk's size is the limit that counts.
_BURST_S = 4.0
_BURST_SHARE = 4  # it is one while at least one row waits for so many that decode: its last quarter too
# A join or a leave copies the state: old and new lie side by side for a moment.
COPIES = 2
_SMALLEST_CHUNK = 32
_UNMEASURED_CHUNK = 128
_LARGEST_GROUP = 8
_LULL_SHARE = 0.05
_LEAST_LULL_S, _MOST_LULL_S = 0.002, 0.008


@dataclass(frozen=True, slots=True)
class Room:
    """What can be taken in now."""

    free_slots: int
    kv_tokens: int | None  # how many tokens all rows' state may have, padding included; None: no limit known
    tokens: int  # the most that those who hold a slot may come to have, with the padding that there is


@dataclass(frozen=True, slots=True)
class Demand:
    """One waiting row."""

    to_read: int
    longest: int


def choose_group(waiting: Sequence[Demand], room: Room, chunk: int) -> list[int]:
    """Choose the places of the waiting rows to read next: the first, and others that fit in one chunk with it.

    State is dense: every row of a group takes as much as the longest. The first waiting row is never passed over for
    want of memory while others hold slots (they end), and is taken whatever it needs when none does.
    """
    group: list[int] = []
    for place, demand in enumerate(waiting):
        if len(group) == min(room.free_slots, _LARGEST_GROUP):
            break
        together = [*(waiting[other] for other in group), demand]
        if _has_memory(together, room) and (not group or _fits(together, chunk)):
            group.append(place)
        elif place == 0:
            break
    return group


def free_seats(slots: int, busy: int, *, is_short: bool) -> int:
    """How many rows may come in; where memory is short one, if it has the engine to itself: that is always tried."""
    if is_short:
        return 0 if busy else 1
    return slots - busy


def kv_tokens(room_bytes: int, bytes_per_token: int) -> int | None:
    """How many tokens of state fit into so much memory; None where a token takes nothing."""
    return room_bytes // (bytes_per_token * COPIES) if bytes_per_token > 0 else None


def worth_tokens(weight_bytes: int, bytes_per_token: int, *, is_gpu: bool) -> float:
    """How many wasted tokens of state cost a step as much as reading all weights once more.

    On a CPU attention computes more than it reads: a byte of state costs twice a byte of weights (measured, with
    OpenBLAS on one core).
    """
    return weight_bytes / bytes_per_token / (1 if is_gpu else 2) if bytes_per_token else math.inf


def chunk_size(*, tokens_per_second: float, step: int, decoding: int, waiting: int) -> int:
    """How many tokens to read at once: what takes a bearable time; of one row a power of two, so that shapes repeat.

    `step` is the most where `decoding` rows wait for it. The more prompts are `waiting` for each of those rows the
    more is bearable: a burst is read in one go instead of between decode steps that carry few.
    """
    is_burst = waiting > 1 and _BURST_SHARE * waiting >= decoding
    least = _PATIENCE_FOR_SEVERAL if waiting > 1 else 1
    patience = min(_MOST_PATIENCE, max(least, _MOST_PATIENCE * waiting / decoding)) if decoding else _MOST_PATIENCE
    most = int(step * patience)
    if tokens_per_second <= 0:
        return min(most, _UNMEASURED_CHUNK)
    bearable = int(tokens_per_second * (_BURST_S if is_burst else _GAP_S * patience))
    bearable = max(bearable, _SMALLEST_CHUNK)
    return min(most, bearable if waiting > 1 else 1 << bearable.bit_length() - 1)


def lull_s(tokens_to_read: int, tokens_per_second: float) -> float:
    """How long an idle engine waits for the next of a burst, to read it all together: a small part of the reading."""
    share_s = _LULL_SHARE * tokens_to_read / tokens_per_second if tokens_per_second else _MOST_LULL_S
    return min(_MOST_LULL_S, max(_LEAST_LULL_S, share_s))


def cache_room(room: Room, bytes_per_token: int) -> int | None:
    """How many bytes the prompt cache may hold beside the rows, were all as long as they may get; None: no limit known.

    `kv_tokens` leaves room for a second copy of the rows' state, which the rows that are there need as well.
    """
    return None if room.kv_tokens is None else int(spare_tokens(room)) * bytes_per_token * COPIES


def spare_tokens(room: Room) -> float:
    """How many tokens there is room for beside the rows, were all as long as they may get."""
    return math.inf if room.kv_tokens is None else max(0, room.kv_tokens - room.tokens)


def _fits(together: Sequence[Demand], chunk: int) -> bool:
    return len(together) * max(demand.to_read for demand in together) <= chunk


def _has_memory(together: Sequence[Demand], room: Room) -> bool:
    if room.kv_tokens is None or (room.tokens == 0 and len(together) == 1):
        return True
    return room.tokens + len(together) * max(demand.longest for demand in together) <= room.kv_tokens
