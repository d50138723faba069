"""How the next id is drawn: a 64-bit state that starts from prompt and seed and takes in every id.

One multiplication a token (a congruential generator into which the ids are mixed): plain hashing would cost ten times
as much, and this engine has to outrun the gateway that it measures. The draw looks at the high bits only, as the low
ones of such a generator are poor.
"""

import hashlib

from .vocabulary import EOS, Edge, Node

_MULTIPLIER = 6_364_136_223_846_793_005
_INCREMENT = 1_442_695_040_888_963_407
_MASK = (1 << 64) - 1


def root(canonical: bytes, *, seed: int, temperature: float) -> int:
    """Return the state before the first id; a greedy generation is the same under every seed."""
    salt = seed.to_bytes(8, "little") if temperature > 0 else b"greedy"
    return int.from_bytes(hashlib.blake2b(canonical, digest_size=8, salt=salt).digest(), "little")


def after(state: int, token_id: int) -> int:
    """Return the state that has taken in one more id."""
    return ((state ^ token_id) * _MULTIPLIER + _INCREMENT) & _MASK


def draw(state: int, node: Node, eos_every: int | None) -> Edge:
    """Draw the next id; the turn ends one time in `eos_every`, and never inside a character."""
    if eos_every is not None and not node.held and (state >> 24) % eos_every == 0:
        return node.edge(EOS)
    ids = node.ids
    return node.edge(ids[(state >> 33) % len(ids)])
