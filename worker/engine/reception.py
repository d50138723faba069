"""The reception: makes generations of requests, or says what is wrong with them."""

import itertools
import secrets
import time

from shared.job import check_ask

from .decode.row import Row
from .decode.settings import settings_of
from .generation import Generation, Window, limit_of
from .text.prompt import prompt_of
from .text.stream import TextStream
from .text.tokenizer import Tokenizer
from .wire import Generate

_SEED_BITS = 63


class Reception:
    """Knows the tokenizer and the model's window, and gives out keys."""

    def __init__(self, tokenizer: Tokenizer, window: Window) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._keys = itertools.count(1)

    def receive(self, request: Generate, *, has_op: bool) -> tuple[Generation, Row | None]:
        """Make a generation and the row to decode for it; no row where there is nothing to decode (any more).

        Raises:
            Refused: names the field that can't be served.
            Fault: what is to be resumed can't have been this generation.

        """
        check_ask(request)
        now_ms = request.enqueued_at_ms if request.enqueued_at_ms is not None else time.time_ns() // 1_000_000
        prompt = prompt_of(request, self._tokenizer, vocabulary=self._window.vocabulary, now_ms=now_ms)
        seed = request.seed if request.seed is not None else secrets.randbits(_SEED_BITS)
        settings = settings_of(request, seed=seed, vocabulary=self._window.vocabulary)
        generation = Generation(
            request,
            key=next(self._keys),
            has_op=has_op,
            prompt=prompt,
            stream=TextStream(self._tokenizer, request.stops, after=None if prompt.is_templated else prompt.ids[-1]),
            ends=self._tokenizer.ends,
            limit=limit_of(request, prompt, self._window),
        )
        has_more = request.kind != "count" and generation.reason is None
        return generation, generation.row(settings) if has_more else None
