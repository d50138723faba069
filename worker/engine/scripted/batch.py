"""The slots, and who waits for one: continuous batching as the MLX engine does it, with time as a number.

One step gives one id to every row that is due and computes one prefill chunk; all that it says is one piece of bytes.
Nothing here waits or writes: a step returns how long it is meant to take, and `loop` takes that long.
"""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from shared.errors import PoolError, Refused
from shared.event import Usage
from shared.job import check_ask
from worker.engine.wire import Cached, Done, Error, Generate, HandedBack, Started, Stats, encode_line

from .generation import Generation
from .prompt import Prompt, render
from .recall import Recall
from .settings import Settings
from .vocabulary import Vocabulary

PREFILL_CHUNK = 512
# How often other prompts may be read before one that steps aside and came before them.
_MOST_PASSED = 11
_NS_PER_MS = 1_000_000
# How long to wait at most when every row has a pace of its own and none is due: newcomers and cancels are seen between.
_REST_NS = 5 * _NS_PER_MS


class Step(NamedTuple):
    """What a step said, and how long it takes."""

    lines: bytes
    takes_ns: int


class Batch:
    """The rows that hold a slot, in the order they came, and behind them those that wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._vocabulary = Vocabulary(settings.vocabulary, settings.words)
        self._step_ns = round(settings.step_ms * _NS_PER_MS)
        self._prefill_ns = round(settings.prefill_ms_per_token * _NS_PER_MS)
        self._chunk = _chunk_tokens(settings)
        self._recall = Recall(settings.prompt_cache_tokens)
        self._passed = 0
        self._waiting: deque[Generation] = deque()
        self._rows: list[Generation] = []
        self.steps = 0
        self.tokens = 0  # generated since the start
        self.handed_back = 0  # generations, likewise

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing runs or waits."""
        return not self._rows and not self._waiting

    def take(self, ask: Generate, *, is_by_hand: bool, now_ns: int) -> bytes:
        """Let a request wait for a slot; what can't be served is refused at once, in the bytes returned."""
        try:
            check_ask(ask)
            prompt = render(ask)
            if ask.kind == "count":
                return _counted(ask, prompt, is_by_hand=is_by_hand)
            self._check(ask, prompt, is_by_hand=is_by_hand)
            row = Generation(
                ask, prompt, is_by_hand=is_by_hand, settings=self._settings, vocabulary=self._vocabulary, now_ns=now_ns
            )
        except PoolError as error:
            return encode_line(Error(id=ask.id, code=error.code, message=error.message, param=error.param))
        self._waiting.append(row)
        return b""

    def cancel(self, request_id: str) -> None:
        """Forget a request, wherever it is."""
        self._let_go(lambda row: row.id == request_id)
        self._waiting = deque(row for row in self._waiting if row.id != request_id)

    def admit(self, now_ns: int) -> bytes:
        """Give the free slots to those who waited longest."""
        lines: list[bytes] = []
        while self._waiting and len(self._rows) < self._settings.slots and not self._must_wait(self._waiting[0]):
            row = self._waiting.popleft()
            self._rows.append(row)
            lines.append(row.begin(now_ns, self._recall.find(row.prefixes, row.prompt.tokens)))
        return b"".join(lines)

    def step(self, now_ns: int) -> Step:
        """Compute one prefill chunk, and an id for every row that has its prompt."""
        self.steps += 1
        lines, takes_ns = self._prefill(now_ns)
        lines += self._hand_back()
        due = [row for row in self._rows if row.due_ns <= now_ns and not row.prefill_left and not row.is_ended]
        lines.extend([row.step(now_ns) for row in due])
        self.tokens += len(due)
        if any(row.is_ended for row in self._rows):
            self._let_go(lambda row: row.is_ended)
        if due or takes_ns or not self._rows:
            return Step(b"".join(lines), takes_ns + self._step_ns)
        return Step(b"".join(lines), self._rest_ns(now_ns))

    def news(self) -> bytes:
        """Return what has changed of what the prompt cache serves, as a line if anything has."""
        stored, evicted = self._recall.labels.changes()
        return encode_line(Cached(stored=stored, evicted=evicted)) if stored or evicted else b""

    def stats(self) -> Stats:
        """Return the figures of this moment, those over time left at zero."""
        busy, waiting = len(self._rows), len(self._waiting)
        unread = sum(row.prefill_left for row in (*self._rows, *self._waiting))
        return Stats(
            slots=self._settings.slots,
            busy=busy,
            waiting=waiting,
            prefill_tokens=unread,
            prefill_tokens_per_second=self._settings.prefill_tokens_per_second,
            pressure=self._settings.pressure,
            handed_back=self.handed_back,
            steps=self.steps,
            cache_hits=self._recall.hits,
            cache_saved_tokens=self._recall.saved_tokens,
            prompt_tokens=self._recall.asked_tokens,
        )

    def _check(self, ask: Generate, prompt: Prompt, *, is_by_hand: bool) -> None:
        if ask.form is not None:
            field = "grammar" if ask.grammar is not None else "response_format"
            raise Refused("unsupported", "The script knows no grammars.", param=field)
        if not is_by_hand and any(row.id == ask.id for row in (*self._rows, *self._waiting)):
            raise Refused("invalid_value", "This id is running.", param="id")
        limit = self._settings.context_tokens
        if prompt.tokens >= limit:
            message = f"The prompt has {prompt.tokens} tokens; with at least one of answer it must fit in {limit}."
            raise Refused("context_length_exceeded", message, param=ask.prompt_field)
        if ask.must_call:
            raise Refused("unsupported", "The script can't be made to call a tool.", param="tool_choice")
        if ask.resume and not all(0 <= token < self._vocabulary.size for token in ask.resume.tokens):
            raise Refused("invalid_value", f"`resume` has an id beyond {self._vocabulary.size}.", param="resume")

    def _must_wait(self, row: Generation) -> bool:
        """Prompts by hand may have no id: their answers must not mingle."""
        return row.is_by_hand and any(other.is_by_hand for other in self._rows)

    def _hand_back(self) -> list[bytes]:
        """Let those go whose prompt says so, in the words of an engine that has no memory for them."""
        leaving = [row for row in self._rows if row.is_full]
        is_alone = len(self._rows) == 1
        if leaving:
            self._let_go(lambda row: row in leaving)
            self.handed_back += len(leaving)
        return [encode_line(HandedBack(id=row.id, alone=is_alone)) for row in leaving]

    def _let_go(self, is_leaving: Callable[[Generation], bool]) -> None:
        """Free slots; what was read there is kept for others."""
        for row in self._rows:
            if is_leaving(row) and not row.prefill_left:
                self._recall.store(row.prefixes, row.prompt.tokens, row.count)
        self._rows = [row for row in self._rows if not is_leaving(row)]

    def _prefill(self, now_ns: int) -> tuple[list[bytes], int]:
        """Compute the next chunk of the row whose turn it is; where prefill costs nothing, all of them."""
        rows = [row for row in self._rows if row.prefill_left]
        if self._prefill_ns:
            rows = self._next_to_read(rows)
        lines: list[bytes] = []
        done = 0
        for row in rows:
            tokens = min(row.prefill_left, self._chunk) if self._prefill_ns else row.prefill_left
            lines.append(row.prefill(tokens, now_ns))
            done += tokens
            if not row.prefill_left:
                self._recall.store(row.prefixes, row.prompt.tokens)
                self._note_read(row, rows_left=[other for other in self._rows if other.prefill_left])
        return lines, done * self._prefill_ns

    def _next_to_read(self, rows: list[Generation]) -> list[Generation]:
        """The first row of those that step aside for nobody; of the others where there is none, or often was."""
        first = None if self._passed >= _MOST_PASSED else next((row for row in rows if not row.steps_aside), None)
        first = first or next((row for row in rows if row.steps_aside), None)
        return [first] if first else rows[:1]

    def _note_read(self, row: Generation, rows_left: list[Generation]) -> None:
        """Count the prompts that were read while one that steps aside waited for its turn."""
        if row.steps_aside:
            self._passed = 0
        else:
            self._passed += any(other.steps_aside for other in rows_left)

    def _rest_ns(self, now_ns: int) -> int:
        earliest = min(row.due_ns for row in self._rows)
        return min(max(earliest - now_ns, 0), _REST_NS)


def _chunk_tokens(settings: Settings) -> int:
    if not (settings.prefill_chunk_ms and settings.prefill_ms_per_token):
        return PREFILL_CHUNK
    return max(1, min(PREFILL_CHUNK, int(settings.prefill_chunk_ms / settings.prefill_ms_per_token)))


def _counted(ask: Generate, prompt: Prompt, *, is_by_hand: bool) -> bytes:
    started = Started(id=ask.id, prompt_tokens=prompt.tokens, prompt_hash=prompt.hash)
    done = encode_line(Done(id=ask.id, reason="stop", usage=Usage(prompt_tokens=prompt.tokens, completion_tokens=0)))
    return done if is_by_hand else encode_line(started) + done
