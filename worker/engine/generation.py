"""One generation: from a request to its last word. It knows ids, text and limits, and neither tensors nor the pipe.

A resumed generation feeds the ids of earlier attempts through the same text stream without saying what they released:
from then on it is in the state of the undisturbed one, and its next reply goes on in the middle of the text.

The id that ends a turn is a generated id like the others: it stands in a `token` reply without text, and it is counted.
Text that was held back comes with the last id, so whoever has logged all ids has all the text.
"""

import time
from collections.abc import Collection
from typing import NamedTuple

from shared.errors import Fault, Refused
from shared.event import Reason, Timings, TokenLogprob, Usage

from .decode.drawn import Likelihood
from .decode.row import Row
from .decode.settings import Settings
from .grammar.guide import Guide
from .logprobs import logprob_of
from .text.prompt import Prompt, hash_of
from .text.speech import Said
from .text.stream import TextStream
from .wire import Done, Generate, Started, Token


class Window(NamedTuple):
    """Where generated ids may lie: the most tokens in all, and how many ids there are."""

    context_tokens: int
    vocabulary: int


class Generation:
    """One request's state in the engine."""

    def __init__(
        self,
        request: Generate,
        *,
        key: int,
        has_op: bool,
        prompt: Prompt,
        stream: TextStream,
        ends: Collection[int],
        limit: int,
        guide: Guide | None = None,
    ) -> None:
        self.id = request.id
        self.key = key
        self.has_op = has_op
        self.reason: Reason | None = None  # why it ended; None: it goes on
        self._tenant = request.tenant
        self._steps_aside = request.steps_aside
        self._prefixes = request.prefixes
        self._prompt = prompt
        self._stream = stream
        self._ends = ends
        self._limit = limit
        self._guide = guide
        self._logprobs = request.logprobs
        self._resumed = request.resume.tokens if request.resume else []
        self._completion_tokens = 0
        self._cached_tokens = 0
        self._taken_in = self._started = self._first_token = time.monotonic()
        for token in self._resumed:
            self._go_on_after(token)

    def row(self, settings: Settings) -> Row:
        """What there is to decode."""
        return Row(
            key=self.key,
            ids=[*self._prompt.ids, *self._resumed],
            drawn=len(self._resumed),
            limit=self._limit,
            settings=settings,
            tenant=self._tenant,
            steps_aside=self._steps_aside,
            prefixes=self._prefixes,
            boundaries=self._prompt.boundaries,
            logprobs=self._logprobs,
            guide=self._guide,
        )

    def start(self, cached_tokens: int = 0) -> Started:
        """Tell that the prompt's turn has come, and of how many ids the state was kept from earlier."""
        self._started = time.monotonic()
        # Ids that an earlier attempt generated may be cached too, and are no part of the prompt.
        self._cached_tokens = min(cached_tokens, len(self._prompt.ids))
        return Started(
            id=self.id,
            prompt_tokens=len(self._prompt.ids),
            prompt_hash=hash_of(self._prompt.ids),
            cached_tokens=self._cached_tokens,
        )

    @property
    def refusal(self) -> Refused | None:
        """Why it can't go on, though nothing was wrong with it at first."""
        return self._guide.refusal if self._guide else None

    def take(self, token: int, likelihood: Likelihood | None = None) -> Token:
        """Tell the next id with the text it released; afterwards `reason` says whether it was the last."""
        if self._completion_tokens == len(self._resumed):
            self._first_token = time.monotonic()
        said = self._advance(token)
        return Token(
            id=self.id,
            content=said.content,
            reasoning=said.reasoning,
            tool_calls=said.calls,
            warning=said.warning,
            tokens=[token],
            logprobs=[] if likelihood is None or token in self._ends else [self._logprob(token, likelihood)],
        )

    def done(self) -> Done:
        """Tell why and with what figures it ended; a count of a prompt's tokens ends as it begins."""
        ended = time.monotonic()
        first = max(self._first_token, self._started)
        timings = Timings(
            queued_ms=_ms(self._started - self._taken_in),
            prefill_ms=_ms(first - self._started),
            decode_ms=_ms(ended - first),
        )
        usage = Usage(
            prompt_tokens=len(self._prompt.ids),
            completion_tokens=self._completion_tokens,
            cached_tokens=self._cached_tokens,
        )
        reason = self.reason or "stop"
        if reason == "stop" and self._stream.has_called:
            reason = "tool_calls"
        return Done(id=self.id, reason=reason, usage=usage, timings=timings, stop=self._stream.stopped_at)

    def _logprob(self, token: int, likelihood: Likelihood) -> TokenLogprob:
        spell = self._stream.bytes_of
        return logprob_of(spell(token), likelihood.drawn, [(spell(each), value) for each, value in likelihood.best])

    def _go_on_after(self, token: int) -> None:
        if self.reason is not None:
            raise Fault("stream_diverged", "`resume` goes on after the generation's end.", param="resume")
        if self._guide:
            self._guide.advance(token)
            if self._guide.refusal:
                raise Fault("stream_diverged", "`resume` is not of the form that was asked for.", param="resume")
        self._advance(token)

    def _advance(self, token: int) -> Said:
        self._completion_tokens += 1
        if token in self._ends:
            self.reason = "stop"
            return self._stream.finish(is_whole=True)
        said = self._stream.feed(token)
        is_over = self._guide is not None and self._guide.is_over
        if not self._stream.is_stopped and (is_over or self._completion_tokens >= self._limit):
            self.reason = "stop" if is_over else "length"
            said += self._stream.finish(is_whole=is_over)
        if self._stream.is_stopped:
            self.reason = "stop"
        return said


def limit_of(request: Generate, prompt: Prompt, window: Window) -> int:
    """How many ids may be generated; refuses a prompt that leaves no room for one, and ids that the model lacks."""
    room = window.context_tokens - len(prompt.ids)
    if request.kind != "count" and room < 1:
        said = f"The prompt has {len(prompt.ids)} tokens; of the context's {window.context_tokens} one must be new."
        raise Refused("context_length_exceeded", said, param=request.prompt_field)
    if request.resume and not all(0 <= token < window.vocabulary for token in request.resume.tokens):
        raise Refused(
            "invalid_value", f"`resume` has an id that the model's {window.vocabulary} are not.", param="resume"
        )
    return max(1, min(request.max_tokens, room))


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 3)
