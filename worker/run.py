"""One attempt at a job, as the agent holds it: what the engine said, numbered as events, until Redis has them.

Pure state, no I/O. Tokens that gather while a flush is under way become one event: coalescing without timers. An event
is numbered when it is taken for a flush, never before, and kept in memory until the attempt ends, so that what Redis
lost can be told again.
"""

import itertools
import time
from collections.abc import Sequence

import msgspec

from shared.claims import Claimed, Ending, Row
from shared.event import MAX_EVENTS_PER_APPEND, AnyEvent, Cancelled, Done, Error, Started, Token, Usage, encode_event
from shared.tracing import trace_id_of

# Of one job in a call; logprobs make events a hundred times as large as text does, and a call has two seconds.
MAX_BYTES_PER_APPEND = 256 << 10
CLEARED_AFTER_TOKENS = 16  # as the script `fail` has it


class Past(msgspec.Struct, frozen=True):
    """What earlier attempts logged: the ids to go on after, and the prompt they belong to."""

    tokens: tuple[int, ...] = ()
    prompt_hash: str | None = None
    seed: int | None = None


class Run:
    """One attempt. `pipe_id` is what the engine knows it by, and is never used again."""

    def __init__(self, claimed: Claimed, pipe_id: str, *, prompt_tokens_estimate: int) -> None:
        self.claimed = claimed
        self.pipe_id = pipe_id
        self.began_at_s = time.monotonic()
        self.first_token_at_s: float | None = None
        self.past = Past()
        self.seed = 0
        self.prompt_tokens = prompt_tokens_estimate
        self.prefill_left = prompt_tokens_estimate
        self.generated = 0  # ids of this attempt and those before
        self.ending: Ending | None = None
        self.outcome = ""  # a reason or a code, beside the ending
        self.is_handed_back = False  # by the engine, for want of memory
        self.has_no_room = False  # even with the engine to itself
        self.is_let_go = False  # by this worker, for another to go on
        self._acked_seq = claimed.seq  # Redis has everything up to here
        self._numbered_from = claimed.seq + 1  # seq of _numbered[0]
        self._numbered: list[bytes] = []
        self._gathered: list[AnyEvent] = []

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claimed.id

    @property
    def names(self) -> dict[str, str | int]:
        """What the log calls it: job, attempt, and the trace that it came with, if any."""
        trace = trace_id_of(self.claimed.trace)
        return {"job": self.id, "attempt": self.claimed.attempt} | ({"trace": trace} if trace else {})

    @property
    def age_s(self) -> float:
        """How long ago it was claimed."""
        return time.monotonic() - self.began_at_s

    @property
    def new_tokens(self) -> int:
        """Ids that this attempt has generated."""
        return self.generated - len(self.past.tokens)

    @property
    def is_suspect(self) -> bool:
        """Whether it has to run alone: attempts before it ended engines, and it has not cleared itself yet."""
        return self.claimed.is_suspect and self.new_tokens < CLEARED_AFTER_TOKENS and self.ending is None

    @property
    def is_in_engine(self) -> bool:
        """Whether the engine works on it, as far as is known here."""
        return self.ending is None and not self.is_handed_back

    @property
    def steps_aside(self) -> bool:
        """Whether others' prompts are read before its own."""
        return self.claimed.steps_aside

    @property
    def has_news(self) -> bool:
        """Whether something waits to be flushed."""
        return bool(self._gathered) or self._acked_seq < self._numbered_from + len(self._numbered) - 1

    def add(self, event: AnyEvent) -> None:
        """Take in an event from the engine; a terminal one closes the attempt, later ones are dropped."""
        if self.ending is not None or self.is_let_go:
            return
        match event:
            case Token():
                self.generated += len(event.tokens)
                self.first_token_at_s = self.first_token_at_s or time.monotonic()
                self.prefill_left = 0
                self._gather_token(event)
            case Done():
                self._end("done", event, event.reason)
            case Error():
                self._end("error", event, event.code)
            case Cancelled():
                self._end("cancelled", event, event.reason)
            case _:
                self._gathered.append(event)

    def hand_back(self, *, has_no_room: bool) -> None:
        """Note that the engine has let it go: once Redis has all that it said, another attempt is to go on."""
        self.is_handed_back, self.has_no_room = True, has_no_room
        self.prefill_left = 0

    def let_go(self) -> None:
        """Take in nothing more: what the engine still says of it, the next attempt says again."""
        self.is_let_go = True

    def usage(self) -> Usage:
        """Token counts so far."""
        return Usage(self.prompt_tokens, self.generated)

    def take(self) -> Row:
        """The row for the next flush: all that Redis does not have, at most as much as a call takes."""
        for event in self._gathered:
            numbered = msgspec.structs.replace(event, seq=self._numbered_from + len(self._numbered))
            self._numbered.append(encode_event(numbered))
        self._gathered.clear()
        skip = max(0, self._acked_seq + 1 - self._numbered_from)
        first = self._numbered_from + skip
        return Row(self.id, self.claimed.attempt, first, _bounded(self._numbered[skip : skip + MAX_EVENTS_PER_APPEND]))

    def is_last(self, row: Row) -> bool:
        """Whether the row holds the attempt's terminal event."""
        return self.ending is not None and row.first_seq + len(row.events) == self._numbered_from + len(self._numbered)

    def acknowledge(self, seq: int) -> None:
        """Redis has everything up to `seq`, and nothing behind it: less than before means that it lost its tail."""
        self._acked_seq = seq

    @property
    def can_tell_again(self) -> bool:
        """Whether memory reaches back to what Redis has; false when it lost events of an earlier attempt too."""
        return self._acked_seq + 1 >= self._numbered_from

    def _gather_token(self, event: Token) -> None:
        last = self._gathered[-1] if self._gathered else None
        if isinstance(last, Token):
            self._gathered[-1] = Token(
                content=last.content + event.content,
                reasoning=last.reasoning + event.reasoning,
                tool_calls=last.tool_calls + event.tool_calls,
                warning=last.warning or event.warning,
                tokens=last.tokens + event.tokens,
                logprobs=last.logprobs + event.logprobs,
            )
        else:
            self._gathered.append(event)

    def _end(self, ending: Ending, event: AnyEvent, outcome: str) -> None:
        self._gathered.append(event)
        self.prefill_left = 0
        self.ending, self.outcome = ending, outcome


def _bounded(events: list[bytes]) -> list[bytes]:
    """As many of them as a call may bring of one job, at least one."""
    sizes = itertools.accumulate(map(len, events))
    return events[: max(1, sum(1 for size in sizes if size <= MAX_BYTES_PER_APPEND))]


def past_of(events: Sequence[AnyEvent | None]) -> Past:
    """What an attempt must know of those before it, from the job's log."""
    tokens: list[int] = []
    prompt_hash = seed = None
    for event in events:
        if isinstance(event, Token):
            tokens += event.tokens
        elif isinstance(event, Started):
            prompt_hash, seed = event.prompt_hash, event.seed
    return Past(tuple(tokens), prompt_hash, seed)
