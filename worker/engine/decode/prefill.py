"""Prefill: reading prompts into the model, all but each one's last id, which the batch feeds itself.

Short prompts are read together in one chunk; a long one alone, chunk by chunk, so that decoding rows wait for one chunk
at a time.
"""

from collections.abc import Sequence

from .model import KV, Model
from .row import Row


class Prefill:
    """Some rows on their way into the batch."""

    def __init__(self, model: Model, rows: Sequence[Row]) -> None:
        parts = [KV.fresh(model) for _ in rows]
        self.rows = rows
        self._model = model
        self._kv = parts[0] if len(parts) == 1 else KV.merged(parts)
        self._done = 0  # of the longest row's ids but its last

    @property
    def done(self) -> int:
        """How many ids of its longest row were read."""
        return self._done

    @property
    def total(self) -> int:
        """How many ids of its longest row there are to read."""
        return max(len(row.ids) for row in self.rows) - 1

    @property
    def is_done(self) -> bool:
        """Whether its rows can join the batch."""
        return self._done >= self.total

    @property
    def kv_bytes(self) -> int:
        """Memory that the rows' state holds, in bytes."""
        return self._kv.kv_bytes

    def advance(self, tokens: int) -> int:
        """Read the next chunk, of at most `tokens` ids where it is one row; tell how many were computed."""
        chunk = self.total if len(self.rows) > 1 else min(tokens, self.total - self._done)
        if chunk:
            self._kv.prefill(
                self._model, [row.ids[self._done : min(self._done + chunk, len(row.ids) - 1)] for row in self.rows]
            )
        self._done += chunk
        return chunk * len(self.rows)

    def finished(self) -> KV:
        """The state, fit to join the batch if the model's rows can be batched at all."""
        assert self.is_done
        return KV.merged([self._kv]) if len(self.rows) == 1 and self._kv.can_merge else self._kv
