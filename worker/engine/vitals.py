"""Signs of life: once a second, what the engine is doing, whether it is idle or not."""

import time

from .decode.decoder import Decoder
from .wire import Stats

_EVERY_S = 1.0
# Over less time a rate says nothing.
_LEAST_RATE_S = 0.5


class Vitals:
    """Counts what is generated, and tells when to report it."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._since = self._told = time.monotonic()
        self._tokens = 0
        self._tokens_per_second = 0.0
        self._pressure = ""
        self._handed_back = 0

    def count(self, tokens: int) -> None:
        """Note that so many tokens were generated."""
        self._tokens += tokens

    def count_handed_back(self, generations: int) -> None:
        """Note that so many generations were let go for want of memory."""
        self._handed_back += generations

    def due_in_s(self) -> float:
        """How long the next report has time; 0 when it is due, and when memory has become short or is so no more."""
        is_news = self._decoder.pressure != self._pressure
        return 0.0 if is_news else max(0.0, self._told + _EVERY_S - time.monotonic())

    def report(self) -> Stats:
        """Report, with rates since the last time."""
        decoder = self._decoder
        self._told = now = time.monotonic()
        self._pressure = decoder.pressure
        if now - self._since >= _LEAST_RATE_S:
            self._tokens_per_second = self._tokens / (now - self._since)
            self._since, self._tokens = now, 0
        return Stats(
            slots=decoder.slots,
            busy=decoder.busy,
            waiting=decoder.waiting,
            prefill_tokens=decoder.tokens_to_read,
            tokens_per_second=round(self._tokens_per_second, 1),
            prefill_tokens_per_second=round(decoder.prefill_tokens_per_second, 1),
            kv_bytes=decoder.kv_bytes,
            memory_bytes=decoder.gauge.used_bytes,
            memory_limit_bytes=decoder.gauge.limit_bytes,
            pressure=decoder.pressure,
            handed_back=self._handed_back,
            steps=decoder.steps,
            cache_bytes=decoder.prompt_cache.held_bytes,
            cache_hits=decoder.prompt_cache.hits,
            cache_saved_tokens=decoder.prompt_cache.saved_tokens,
            prompt_tokens=decoder.prompt_cache.asked_tokens,
        )
