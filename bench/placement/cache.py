"""What a simulated machine has read before."""

from collections import OrderedDict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from shared.outline import Prefix


class PromptCache:
    """Boundaries of prompts, least recently used first; each takes the room of its own message."""

    def __init__(self, room_tokens: int) -> None:
        self._room_tokens = room_tokens
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._kept_tokens = 0

    @property
    def boundaries(self) -> AbstractSet[str]:
        """All that can be gone on from."""
        return self._kept.keys()

    def known(self, prompt: Sequence[Prefix]) -> int:
        """Up to where a prompt has been read before, in tokens."""
        return next((tokens for boundary, tokens in reversed(prompt) if boundary in self._kept), 0)

    def keep(self, prompt: Sequence[Prefix]) -> None:
        """Keep what has been read, and let go of what was used longest ago.

        From deep to shallow, so that nothing is let go of before what lies upon it.
        """
        above = [0, *(prefix.tokens for prefix in prompt)]
        for prefix, before in zip(reversed(prompt), reversed(above[:-1]), strict=True):
            self._kept_tokens += prefix.tokens - before - self._kept.pop(prefix.hash, 0)
            self._kept[prefix.hash] = prefix.tokens - before
        while self._kept_tokens > self._room_tokens:
            self._kept_tokens -= self._kept.popitem(last=False)[1]
