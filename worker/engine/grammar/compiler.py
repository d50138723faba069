"""The compiler: forms into matchers, each in a thread of its own, so that running streams do not wait for it.

A thread also has the stack that deep grammars need. Compiling is bounded by the library's limits; should those fail,
the deadline refuses the request, and what still runs is left alone. Whatever a form makes go wrong here costs whoever
asked for it an error, and nobody else anything.
"""

import copy
import hashlib
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from shared.errors import Fault, PoolError, Refused
from shared.grammar import Form, JsonSchema, Lark

from .complaint import field_of, refusal_of
from .library import Matcher, Vocabulary, words_of
from .schema import check_inline_schemas, check_schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Made = TypeVar("_Made")
_DEADLINE_S = 5.0
# Most forms compile in this time, and the request need not come back for it; others' next ids wait as long.
_INLINE_S = 0.005
_MOST_KEPT = 64
# Eight thousand rules, each leading to the next, need an eighth of it; what is not needed is not taken.
_STACK_BYTES = 256 << 20
# How far a new grammar is tried: what explodes mostly does so at once.
_TRIED_STEPS = 4


@dataclass(slots=True)
class _Compiling:
    form: Form
    deadline_s: float  # by the monotonic clock
    matcher: Future[Matcher] = field(default_factory=Future[Matcher])

    @property
    def is_settled(self) -> bool:
        return self.matcher.done() or time.monotonic() > self.deadline_s


class Compiler:
    """Compiles, and keeps what was compiled of late. All its methods belong to the engine's one thread."""

    def __init__(
        self, make_vocabulary: Callable[[], Vocabulary], *, told: Callable[[], None], within_s: float = _DEADLINE_S
    ) -> None:
        """`told` is called from another thread when a form is settled. The vocabulary is begun here and now."""
        self._told = told
        self._within_s = within_s
        self._kept: dict[bytes, _Compiling] = {}
        self._vocabulary: Future[Vocabulary] = Future()
        _in_a_thread(self._vocabulary, make_vocabulary)

    def settle(self) -> None:
        """Wait for the vocabulary; whether it can be had is told to those who need it."""
        self._vocabulary.exception()

    def free_words(self) -> "NDArray[np.uint32]":
        """The bits of all ids but those that end a turn."""
        vocabulary = self._vocabulary.result()
        words = np.full(words_of(vocabulary.size), np.iinfo(np.uint32).max, dtype=np.uint32)
        for end in vocabulary.ends:
            words[end >> 5] &= ~np.uint32(1 << (end & 31))
        return words

    def matcher(self, form: Form) -> Matcher | None:
        """A fresh matcher, or None while it is being compiled: ask again when told.

        Raises:
            Refused: it can't be compiled, or not in time.
            Fault: the compiler failed, for whatever reason.

        """
        if self._vocabulary.done() and (error := self._vocabulary.exception()):
            raise _again(error, form)
        compiling = self._find(form)
        try:
            error = compiling.matcher.exception(timeout=_INLINE_S)
        except TimeoutError:
            if compiling.is_settled:
                raise Refused("invalid_value", "It takes too long to compile.", param=field_of(form)) from None
            return None
        if error is not None:
            raise _again(error, form)
        return compiling.matcher.result().copy()

    def is_settled(self, form: Form) -> bool:
        """Whether `matcher` has an answer."""
        return self._find(form).is_settled

    def _find(self, form: Form) -> _Compiling:
        key = hashlib.sha256(msgspec.json.encode(form)).digest()
        compiling = self._kept.pop(key, None) or self._begin(form)
        self._kept[key] = compiling  # as the last of all
        for old in [old for old, each in self._kept.items() if each.is_settled][:-_MOST_KEPT]:
            del self._kept[old]
        return compiling

    def _begin(self, form: Form) -> _Compiling:
        compiling = _Compiling(form, time.monotonic() + self._within_s)
        compiling.matcher.add_done_callback(lambda _: self._told())
        _in_a_thread(compiling.matcher, lambda: _compile(self._vocabulary.result(), form))
        return compiling


def _again(error: BaseException, form: Form) -> PoolError:
    """Make a new one of an error that is kept: each time it was raised it would bear that asker's frames as well."""
    if isinstance(error, PoolError):
        return copy.copy(error)
    traceback.print_exception(error)
    return Fault("internal", f"The form can't be compiled ({type(error).__name__}).", param=field_of(form))


def _compile(vocabulary: Vocabulary, form: Form) -> Matcher:
    if isinstance(form, JsonSchema):
        check_schema(form.json_schema.schema)
    if isinstance(form, Lark):
        check_inline_schemas(form.value)
    try:
        matcher = Matcher.compiled(vocabulary, form)
    except ValueError as error:
        raise refusal_of(form, str(error)) from error
    if error := matcher.error or _trial(matcher.copy(), vocabulary):
        raise refusal_of(form, error)
    return matcher


def _trial(matcher: Matcher, vocabulary: Vocabulary) -> str | None:
    """Take a few steps; tell what is wrong if they can't be taken."""
    words = np.zeros(words_of(vocabulary.size), dtype=np.uint32)
    for step in range(_TRIED_STEPS):
        matcher.fill(words)
        if error := matcher.error:
            return "no text matches" if step == 0 and "NoExtension" in error else error
        allowed = np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
        token = next((int(token) for token in allowed if int(token) not in vocabulary.ends), None)
        if token is None:
            return None
        matcher.take(token)
    return matcher.error


def _in_a_thread(into: Future[_Made], make: Callable[[], _Made]) -> None:
    """Run it in a thread that has a deep stack, and that a process's end does not wait for."""

    def run() -> None:
        try:
            made = make()
        except BaseException as error:  # noqa: BLE001 it is told where the result is asked for
            into.set_exception(error)
        else:
            into.set_result(made)

    before = threading.stack_size(_STACK_BYTES)
    try:
        threading.Thread(target=run, name="compile", daemon=True).start()
    finally:
        threading.stack_size(before)
