"""Which beginnings of a prompt a state serves, as far as can be told without knowing where they end: a plain function.

The names of a prompt's prefixes come from outside, with how many tokens each has, estimated from its bytes. Only where
the whole prompt ends is known in ids; an inner prefix is taken to have its estimated share of them.
"""

from collections.abc import Sequence

# One part of a prompt may have more ids to the byte than another. An estimate is trusted to a quarter of what was read.
_HANDFUL = 32  # ids of a prompt that may be lacking
_LEEWAY = 4


def served(prefixes: Sequence[tuple[str, int]], *, prompt: int, read: int, can_trim: bool) -> list[str]:
    """Name the prefixes that a state serves which has read `read` ids, of a prompt of so many; the longest comes first.

    One that can be trimmed serves all that it has surely read. Another serves only what begins with all of its ids: of
    the prefixes the one that ends about there. What lacks a handful of the prompt's ids counts as having read them all:
    those that open the answer, or too few for a state of their own.
    """
    if not prefixes:
        return []
    (tip, tokens), *inner = reversed(prefixes)
    ends = {name: share * prompt // max(1, tokens) for name, share in inner}
    if read + _HANDFUL >= prompt:
        return [tip, *ends] if can_trim else [tip]
    if can_trim:
        return [name for name, end in ends.items() if end * (_LEEWAY + 1) <= read * _LEEWAY]
    return [name for name in sorted(ends, key=lambda name: abs(ends[name] - read))[:1] if _is_at(ends[name], read)]


def _is_at(end: int, read: int) -> bool:
    return abs(end - read) * _LEEWAY <= read
