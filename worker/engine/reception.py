"""The reception: makes generations of requests, or says what is wrong with them."""

import itertools
import secrets
import time
from typing import NamedTuple

from shared.grammar import Form
from shared.job import check_ask

from .decode.row import Row
from .decode.settings import settings_of
from .generation import Generation, Window, limit_of
from .grammar.calls import HeldCalls, calls_of
from .grammar.compiler import Compiler
from .grammar.complaint import field_of
from .grammar.guide import Guide, thinking_after
from .grammar.library import Matcher
from .text.prompt import Prompt, prompt_of
from .text.speech import speech_for
from .text.stream import TextStream
from .text.tokenizer import Tokenizer
from .wire import Generate

_SEED_BITS = 63


class Uncompiled(NamedTuple):
    """A request whose grammar is being compiled."""

    request: Generate
    has_op: bool
    form: Form


class Reception:
    """Knows the tokenizer, the model's window and the compiler, and gives out keys."""

    def __init__(
        self, tokenizer: Tokenizer, window: Window, compiler: Compiler, *, wants_boundaries: bool = False
    ) -> None:
        self._tokenizer = tokenizer
        self._wants_boundaries = wants_boundaries
        self._window = window
        self._compiler = compiler
        self._uncompiled: list[Uncompiled] = []
        self._keys = itertools.count(1)

    @property
    def is_compiling(self) -> bool:
        """Whether requests wait for their grammars."""
        return bool(self._uncompiled)

    def released(self) -> list[Uncompiled]:
        """Take out the requests whose grammars are compiled, or can't be: they are to be received again."""
        released = [held for held in self._uncompiled if self._compiler.is_settled(held.form)]
        self._uncompiled = [held for held in self._uncompiled if held not in released]
        return released

    def forget(self, request_id: str) -> None:
        """Drop what is held under this id."""
        self._uncompiled = [held for held in self._uncompiled if held.request.id != request_id]

    def receive(self, request: Generate, *, has_op: bool) -> tuple[Generation, Row | None] | None:
        """Make a generation and the row to decode for it; no row where there is nothing to decode (any more).

        None where the request is held, until its grammar is compiled.

        Raises:
            Refused: names the field that can't be served.
            Fault: what is to be resumed can't have been this generation.

        """
        check_ask(request)
        form = self._form_of(request)
        matcher = self._compiler.matcher(form) if form else None
        if form and not matcher:
            self._uncompiled.append(Uncompiled(request, has_op, form))
            return None
        now_ms = request.enqueued_at_ms if request.enqueued_at_ms is not None else time.time_ns() // 1_000_000
        prompt = prompt_of(
            request,
            self._tokenizer,
            vocabulary=self._window.vocabulary,
            now_ms=now_ms,
            wants_boundaries=self._wants_boundaries,
        )
        seed = request.seed if request.seed is not None else secrets.randbits(_SEED_BITS)
        settings = settings_of(request, seed=seed, vocabulary=self._window.vocabulary)
        generation = Generation(
            request,
            key=next(self._keys),
            has_op=has_op,
            prompt=prompt,
            stream=self._stream(request, prompt, seed, form),
            ends=self._tokenizer.ends,
            limit=limit_of(request, prompt, self._window),
            guide=self._guide(form, matcher, prompt) if form and matcher else None,
        )
        has_more = request.kind != "count" and generation.reason is None
        return generation, generation.row(settings) if has_more else None

    def _form_of(self, request: Generate) -> Form | None:
        """What the answer must look like, be it text or calls."""
        if request.kind == "count":
            return None
        return calls_of(request, self._tokenizer.dialect) or request.form

    def _stream(self, request: Generate, prompt: Prompt, seed: int, form: Form | None) -> TextStream:
        has_held_calls = isinstance(form, HeldCalls)
        speech = speech_for(request, self._tokenizer.dialect, prompt, seed=seed, has_held_calls=has_held_calls)
        return TextStream(self._tokenizer, speech, after=None if prompt.is_templated else prompt.ids[-1])

    def _guide(self, form: Form, matcher: Matcher, prompt: Prompt) -> Guide:
        tokenizer = self._tokenizer
        thinking = thinking_after(
            prompt.ids, tokenizer.opens_thoughts, tokenizer.closes_thoughts, is_blank=tokenizer.is_blank
        )
        return Guide(matcher, field=field_of(form), free=self._compiler.free_words(), thinking=thinking)
