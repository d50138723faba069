"""What the engine's prompt cache serves, as the engine tells: the beginnings of prompts, by the hashes of outlines."""

from collections.abc import Set as AbstractSet

from .engine import wire


class Served:
    """One engine after the other's; it outlives incarnations, as the engine does."""

    def __init__(self) -> None:
        self._hashes: set[str] = set()

    @property
    def hashes(self) -> AbstractSet[str]:
        """The hashes that are served, as of now: it changes with what is heard."""
        return self._hashes

    def hear(self, reply: wire.Cached) -> None:
        """Take in what has changed."""
        self._hashes.difference_update(reply.evicted)
        self._hashes.update(reply.stored)

    def clear(self) -> None:
        """Forget all: the engine is gone, and the next one has read nothing."""
        self._hashes.clear()
