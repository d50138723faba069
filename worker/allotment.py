"""What memory the engine of each model may have, so that all that are loaded together stay within one machine.

An engine is told its limit when it starts, and what is loaded beside it changes: so a limit is not what is free just
then, but the model's own need and a share of the rest that is the same whoever else is loaded.
"""

from collections.abc import Collection, Mapping

# Beside the model: the process and its libraries.
PROCESS_BYTES = 512 << 20
# An engine that fills more than this much of its limit counts as short of memory, and one that is loaded should not.
FILLED = 0.8


def need_of(memory_bytes: int) -> int:
    """What an engine needs at the least: its model with a short conversation, the process, and no pressure."""
    return int((memory_bytes + PROCESS_BYTES) / FILLED)


def allot(needs: Mapping[str, int], pinned: Collection[str], budget: int) -> dict[str, int]:
    """Give each model its limit in bytes.

    As many of the models on demand count as loaded together as fit whichever they are: so many of the largest. What is
    left then is shared evenly. Fewer of the large or more of the small ones stay within the budget all the same, since
    it is by these limits that room is made.
    """
    kept = sum(needs[name] for name in pinned)
    others = sorted((need for name, need in needs.items() if name not in pinned), reverse=True)
    together = next((n for n in range(len(others), 0, -1) if kept + sum(others[:n]) <= budget), 0)
    rest = budget - kept - sum(others[:together])
    share = max(0, rest) // max(1, len(pinned) + together)
    return {name: need + share for name, need in needs.items()}


def too_large(needs: Mapping[str, int], pinned: Collection[str], budget: int) -> list[str]:
    """Which models can never be loaded beside those that stay, or stay, the largest first."""
    kept = sum(needs[name] for name in pinned)
    names = [name for name in needs if kept + (0 if name in pinned else needs[name]) > budget]
    return sorted(names, key=lambda name: -needs[name])
