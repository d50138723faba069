"""What the jobs that were submitted here were like for their clients, counted while their streams go by.

The bounds are those that vLLM and OpenTelemetry's conventions have, together where they differ, so that each can be
told under its own names.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import NamedTuple

from shared.event import Done, Usage

from .distribution import Distribution
from .waits import Waits

# vLLM's bounds (0.11), and those of OpenTelemetry's GenAI conventions (1.37).
FIRST_TOKEN_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
    *(160.0, 640.0, 2_560.0),
)
OTEL_FIRST_TOKEN_S = FIRST_TOKEN_S[:16]
PER_TOKEN_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
OTEL_PER_TOKEN_S = PER_TOKEN_S[:13]
PHASE_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
    *(1_920.0, 7_680.0),
)
OTEL_DURATION_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(digit * 10**power) for power in range(6) for digit in (1, 2, 5))
OTEL_TOKENS = tuple(float(4**power) for power in range(14))
_DURATION_S = tuple(sorted({*PHASE_S, *OTEL_DURATION_S}))
_TOKENS = tuple(sorted({*TOKENS, *OTEL_TOKENS}))

_MERGED = (
    *("first_token_s", "gap_s", "per_token_s", "queued_s", "prefill_s", "decode_s", "prompt_tokens", "answer_tokens"),
)

CANCELLED = "cancelled"  # beside the errors' codes
FAILURES_KEPT = 50


class Kind(NamedTuple):
    """What figures are kept apart by: a model that is served here, and `chat` or `text_completion`."""

    model: str
    operation: str


class Failure(NamedTuple):
    """A job that ended in an error, on the clock of the wall."""

    at_ms: int
    job_id: str
    model: str
    code: str


class Figures:
    """The figures of one kind of job. Times are in seconds, from the request's receipt where nothing else is said."""

    def __init__(self) -> None:
        self.first_token_s = Distribution(FIRST_TOKEN_S)
        self.gap_s = Distribution(PER_TOKEN_S)  # between deliveries of tokens to one client
        self.per_token_s = Distribution(PER_TOKEN_S)  # of a whole answer, behind its first token
        self.duration_s: defaultdict[str, Distribution] = defaultdict(lambda: Distribution(_DURATION_S))  # by error
        self.queued_s = Distribution(PHASE_S)  # this and the next two as the last attempt's worker told
        self.prefill_s = Distribution(PHASE_S)
        self.decode_s = Distribution(PHASE_S)
        self.prompt_tokens = Distribution(_TOKENS)
        self.answer_tokens = Distribution(_TOKENS)
        self.tokens_seen = 0  # of answers, as they come
        self.cached_tokens = 0  # of prompts
        self.ends: Counter[str] = Counter()  # stop, length, abort, error

    def done(self, done: Done) -> None:
        """Count what the end of an answer tells."""
        self.use(done.usage)
        timings = done.timings
        for phase, ms in (
            (self.queued_s, timings.queued_ms),
            (self.prefill_s, timings.prefill_ms),
            (self.decode_s, timings.decode_ms),
        ):
            phase.add(ms / 1_000)

    def use(self, usage: Usage) -> None:
        """Count the tokens of a job that has ended."""
        self.prompt_tokens.add(usage.prompt_tokens)
        self.answer_tokens.add(usage.completion_tokens)
        self.cached_tokens += usage.cached_tokens

    def counted(self, name: str) -> Distribution:
        """One of them, by its name."""
        return getattr(self, name)

    def merge(self, other: "Figures") -> None:
        """Count all that another one has counted."""
        for name in _MERGED:
            self.counted(name).merge(other.counted(name))
        for error, counted in other.duration_s.items():
            self.duration_s[error].merge(counted)
        self.tokens_seen += other.tokens_seen
        self.cached_tokens += other.cached_tokens
        self.ends += other.ends

    @property
    def all_durations_s(self) -> Distribution:
        """How long jobs took, however they ended."""
        every = Distribution(_DURATION_S)
        for each in self.duration_s.values():
            every.merge(each)
        return every


class Ledger:
    """The figures of every kind of job that came here, and which of them failed last."""

    def __init__(self) -> None:
        self._figures: dict[Kind, Figures] = {}
        self.failures: deque[Failure] = deque(maxlen=FAILURES_KEPT)
        self.waits = Waits()

    def of(self, kind: Kind) -> Figures:
        """The figures of a kind."""
        found = self._figures.get(kind)
        if found is None:
            found = self._figures[kind] = Figures()
        return found

    def by_model(self) -> dict[str, Figures]:
        """The figures of each model, whatever was asked of it."""
        models: defaultdict[str, Figures] = defaultdict(Figures)
        for kind, figures in self._figures.items():
            models[kind.model].merge(figures)
        return models

    def __iter__(self) -> Iterator[tuple[Kind, Figures]]:
        """All of them."""
        return iter(list(self._figures.items()))
