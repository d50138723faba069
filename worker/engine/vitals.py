"""Signs of life: once a second, what the engine is doing, whether it is idle or not."""

import time

from .decode.decoder import Decoder
from .decode.device import used_bytes
from .wire import Stats

_EVERY_S = 1.0


class Vitals:
    """Counts what is generated, and tells when to report it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._since = time.monotonic()
        self._tokens = 0

    def count(self, tokens: int) -> None:
        """Note that so many tokens were generated."""
        self._tokens += tokens

    def due_in_s(self) -> float:
        """How long the next report has time; 0 when it is due."""
        return max(0.0, self._since + _EVERY_S - time.monotonic())

    def report(self) -> Stats:
        """Report, with rates since the last time."""
        now = time.monotonic()
        tokens_per_second = self._tokens / (now - self._since)
        self._since, self._tokens = now, 0
        decoder = self._decoder
        return Stats(
            slots=decoder.slots,
            busy=decoder.busy,
            waiting=decoder.waiting,
            prefill_tokens=decoder.tokens_to_read,
            tokens_per_second=round(tokens_per_second, 1),
            prefill_tokens_per_second=round(decoder.prefill_tokens_per_second, 1),
            kv_bytes=decoder.kv_bytes,
            memory_bytes=used_bytes(),
            steps=decoder.steps,
            cache_bytes=decoder.prompt_cache.held_bytes,
            cache_hits=decoder.prompt_cache.hits,
            cache_saved_tokens=decoder.prompt_cache.saved_tokens,
        )
