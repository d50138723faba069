"""One generation: from its prompt, over the ids of earlier attempts, id by id to its end.

Everything here is a function of the request and the ids; the clock only paces it and fills in the timings.
"""

from shared.errors import Fault
from shared.event import Reason, Timings, TokenLogprob, Usage
from worker.engine.text.stop import StopMatcher
from worker.engine.wire import Done, Generate, Prefill, Started, Token, encode_line

from .calls import calls_in
from .draw import after, draw, root
from .faults import FaultKind, faults_in, full_in, pace_in, strike
from .likelihood import logprob_behind
from .prompt import Prompt
from .settings import Settings
from .vocabulary import EOS, Edge, Vocabulary

_NS_PER_MS = 1_000_000


class Generation:
    """A seat in the batch, or a claim to one. `step` gives one id; `is_ended` tells that `done` was said."""

    def __init__(
        self,
        ask: Generate,
        prompt: Prompt,
        *,
        is_by_hand: bool,
        settings: Settings,
        vocabulary: Vocabulary,
        now_ns: int,
    ) -> None:
        self.id = ask.id
        self.prompt = prompt
        self.prefixes = ask.prefixes
        self.is_by_hand = is_by_hand
        self.steps_aside = ask.steps_aside
        self.count = 0  # ids so far, those of earlier attempts included
        self.reason: Reason | None = None
        self.is_ended = False
        self._limit = min(ask.max_tokens, settings.context_tokens - prompt.tokens)
        self._eos_every = settings.eos_every
        self._state = root(prompt.canonical, seed=ask.seed or 0, temperature=ask.temperature)
        self._node = vocabulary.start
        self._stops = StopMatcher(ask.stops) if ask.stops else None
        # The part of every token line before the content, as `encode_line` would write it.
        self._head = encode_line(Token(id=ask.id))[:-2] + b","
        self._logprobs = ask.logprobs
        self._calls = calls_in(ask, prompt)
        self._last_call_at = min(self._calls, default=None) if ask.has_one_call else None
        self._is_plain = self._stops is None and not is_by_hand and ask.logprobs is None and not self._calls
        self._go_on_after(ask.resume.tokens if ask.resume else [])
        self.prefill_left = prompt.tokens + self.count
        self._faults: dict[int, FaultKind] = {
            fault.at + (self.count if fault.is_relative else 0): fault.kind for fault in faults_in(prompt.text)
        }
        self._full_at = None if is_by_hand else full_in(prompt.text, self.count)
        self._pace_ns = (pace_in(prompt.text) or 0) * _NS_PER_MS
        self.due_ns = 0
        self._cached_tokens = 0
        self._taken_ns = self._admitted_ns = self._decoding_ns = now_ns

    @property
    def is_full(self) -> bool:
        """Tell whether its prompt has it handed back now."""
        if self._full_at is None or self.prefill_left or self.is_ended:
            return False
        return self.count + 1 >= self._full_at

    def begin(self, now_ns: int, cached_tokens: int) -> bytes:
        """Take a slot, with so much of the prompt read before; the line says so."""
        self._admitted_ns = self._decoding_ns = now_ns
        self._cached_tokens = cached_tokens
        self.prefill_left -= cached_tokens
        if self.is_by_hand:
            return b""
        tokens, prompt_hash = self.prompt.tokens, self.prompt.hash
        started = Started(id=self.id, prompt_tokens=tokens, prompt_hash=prompt_hash, cached_tokens=cached_tokens)
        return encode_line(started)

    def prefill(self, tokens: int, now_ns: int) -> bytes:
        """Compute some of the prompt, and strike with what its directives ask for there."""
        garbage = strike(self._faults[0]) if 0 in self._faults else b""
        self.prefill_left -= tokens
        self._decoding_ns = now_ns
        total = self.prompt.tokens + self._resumed
        line = encode_line(Prefill(id=self.id, done=total - self.prefill_left, total=total))
        lines = garbage if self.is_by_hand else garbage + line
        if self.reason is None or self.prefill_left:
            return lines
        return lines + self._done(self.reason, now_ns)

    def step(self, now_ns: int) -> bytes:
        """Generate one id and return its lines."""
        self.count = position = self.count + 1
        garbage = strike(self._faults[position]) if position in self._faults else b""
        state, node = self._state, self._node
        edge = draw(state, node, self._eos_every)
        self._state = after(state, edge.id)
        self._node = edge.node
        self.due_ns = now_ns + self._pace_ns
        if self._is_plain and position < self._limit and edge.id != EOS:
            return garbage + self._head + edge.tail
        logprobs: list[TokenLogprob] = []
        if self._logprobs is not None and edge.id != EOS:
            logprobs.append(logprob_behind(state, node, edge.id, self._logprobs))
        return garbage + self._carefully(edge, logprobs, now_ns)

    def _carefully(self, edge: Edge, logprobs: list[TokenLogprob], now_ns: int) -> bytes:
        """Do what most ids don't need: stop strings, logprobs, calls, the end, a peer without `op`."""
        token = self._token(self._show(edge), edge.id, logprobs)
        return token if self.reason is None else token + self._done(self.reason, now_ns)

    def _show(self, edge: Edge) -> str:
        """Return the text that an id releases, and settle whether it is the last one.

        Text held back for a stop string that never came goes out with the last id, not behind it: an attempt that
        resumes after that id can't know whether a line of its own was logged.
        """
        text = edge.text if self._stops is None else self._stops.feed(edge.text)
        is_stopped = self._stops is not None and self._stops.has_matched
        if edge.id == EOS or is_stopped or self.count == self._last_call_at:
            self.reason = "stop"
        elif self.count >= self._limit:
            self.reason = "length"
        if self._stops is None or self.reason is None or is_stopped:
            return text
        return text + self._stops.flush()

    def _go_on_after(self, ids: list[int]) -> None:
        """Take in what earlier attempts generated: the same walk, with nothing said."""
        for token_id in ids:
            if self.reason is not None:
                raise Fault("stream_diverged", "`resume` goes on after the generation's end.", param="resume")
            edge = self._node.edge(token_id)
            self._state = after(self._state, token_id)
            self._node = edge.node
            self.count += 1
            self._show(edge)
        self._resumed = self.count

    def _token(self, text: str, token_id: int, logprobs: list[TokenLogprob]) -> bytes:
        calls = [self._calls[self.count]] if self.count in self._calls else []
        if not self.is_by_hand:
            return encode_line(Token(id=self.id, content=text, tool_calls=calls, tokens=[token_id], logprobs=logprobs))
        return encode_line(Token(id=self.id, content=text, tool_calls=calls)) if text or calls else b""

    def _done(self, reason: Reason, now_ns: int) -> bytes:
        self.is_ended = True
        timings = Timings(
            queued_ms=(self._admitted_ns - self._taken_ns) / _NS_PER_MS,
            prefill_ms=(self._decoding_ns - self._admitted_ns) / _NS_PER_MS,
            decode_ms=(now_ns - self._decoding_ns) / _NS_PER_MS,
        )
        usage = Usage(self.prompt.tokens, self.count, cached_tokens=self._cached_tokens)
        stop = self._stops.matched if self._stops else None
        if reason == "stop" and any(place <= self.count for place in self._calls):
            reason = "tool_calls"
        return encode_line(Done(id=self.id, reason=reason, usage=usage, timings=timings, stop=stop))
