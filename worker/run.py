"""One attempt at a job, as the agent holds it: what the engine said, numbered as events, until Redis has them.

Pure state, no I/O. Tokens that gather while a flush is under way become one event: coalescing without timers. An event
is numbered when it is taken for a flush, never before, and kept in memory until the attempt ends, so that what Redis
lost can be told again.
"""

from collections.abc import Sequence

import msgspec

from shared.claims import Claimed, Ending, Row
from shared.event import MAX_EVENTS_PER_APPEND, AnyEvent, Cancelled, Done, Error, Started, Token, Usage, encode_event

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
        self.past = Past()
        self.seed = 0
        self.prompt_tokens = prompt_tokens_estimate
        self.prefill_left = prompt_tokens_estimate
        self.generated = 0  # ids of this attempt and those before
        self.ending: Ending | None = None
        self._acked_seq = claimed.seq  # Redis has everything up to here
        self._numbered_from = claimed.seq + 1  # seq of _numbered[0]
        self._numbered: list[bytes] = []
        self._gathered: list[AnyEvent] = []

    @property
    def id(self) -> str:
        """The job's id."""
        return self.claimed.id

    @property
    def new_tokens(self) -> int:
        """Ids that this attempt has generated."""
        return self.generated - len(self.past.tokens)

    @property
    def is_suspect(self) -> bool:
        """Whether it has to run alone: attempts before it ended engines, and it has not cleared itself yet."""
        return self.claimed.is_suspect and self.new_tokens < CLEARED_AFTER_TOKENS and self.ending is None

    @property
    def has_news(self) -> bool:
        """Whether something waits to be flushed."""
        return bool(self._gathered) or self._acked_seq < self._numbered_from + len(self._numbered) - 1

    def add(self, event: AnyEvent) -> None:
        """Take in an event from the engine; a terminal one closes the attempt, later ones are dropped."""
        if self.ending is not None:
            return
        match event:
            case Token():
                self.generated += len(event.tokens)
                self.prefill_left = 0
                self._gather_token(event)
            case Done():
                self._end("done", event)
            case Error():
                self._end("error", event)
            case Cancelled():
                self._end("cancelled", event)
            case _:
                self._gathered.append(event)

    def usage(self) -> Usage:
        """Token counts so far."""
        return Usage(self.prompt_tokens, self.generated)

    def take(self) -> Row:
        """The row for the next flush: all that Redis does not have, at most as many events as a call takes."""
        for event in self._gathered:
            numbered = msgspec.structs.replace(event, seq=self._numbered_from + len(self._numbered))
            self._numbered.append(encode_event(numbered))
        self._gathered.clear()
        skip = max(0, self._acked_seq + 1 - self._numbered_from)
        first = self._numbered_from + skip
        return Row(self.id, self.claimed.attempt, first, self._numbered[skip : skip + MAX_EVENTS_PER_APPEND])

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
            )
        else:
            self._gathered.append(event)

    def _end(self, ending: Ending, event: AnyEvent) -> None:
        self._gathered.append(event)
        self.prefill_left = 0
        self.ending = ending


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
