"""When an agent claims: only what it can begin soon. The rest stays in the queue, for whoever is free first."""

from typing import Literal

import msgspec

PREFILL_HELD_MS = 250
# Before any prefill was measured; too low a guess would only make the first claims a little slow.
PREFILL_TOKENS_PER_S_GUESS = 2_000.0


class Load(msgspec.Struct, frozen=True):
    """What a worker holds: `prefill_tokens` are prompt tokens still to be computed before their first token."""

    slots: int
    held: int
    prefill_tokens: int
    prefill_tokens_per_second: float
    holds_suspect: bool = False
    is_short_of_memory: bool = False


Willingness = Literal["no", "if_nobody_else_is_free", "yes"]


def willingness(load: Load) -> Willingness:
    """Whether to claim one more job now.

    A job behind a long prefill would wait here while another worker stands idle: then only if none does, since a batch
    that is read together ends sooner than one that trickles in. A suspect runs alone. An engine that is short of memory
    gets no second job, and a first one if nobody has more room: it is always tried.
    """
    if load.held >= load.slots or load.holds_suspect:
        return "no"
    if load.is_short_of_memory:
        return "no" if load.held else "if_nobody_else_is_free"
    rate = load.prefill_tokens_per_second or PREFILL_TOKENS_PER_S_GUESS
    is_short = load.prefill_tokens / rate * 1_000 < PREFILL_HELD_MS
    return "yes" if is_short else "if_nobody_else_is_free"
