"""When an agent claims: only what it can begin soon. The rest stays in the queue, for whoever is free first."""

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


def may_claim(load: Load) -> bool:
    """Whether to claim one more job now.

    A job behind a long prefill would wait here while another worker stands idle; a suspect runs alone.
    """
    if load.held >= load.slots or load.holds_suspect:
        return False
    rate = load.prefill_tokens_per_second or PREFILL_TOKENS_PER_S_GUESS
    return load.prefill_tokens / rate * 1_000 < PREFILL_HELD_MS
