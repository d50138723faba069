"""An engine that is no process: it says a token for each row at its pace, and costs next to nothing."""

import asyncio
from collections.abc import Callable

from shared.event import Usage
from worker.engine import wire
from worker.supervisor import Supervisor

MARK = "~"  # in each token's text once, and nowhere else in what is published
_TEXT = f"{MARK}gull "
_STATS_EVERY_S = 1.0
_PROMPT_TOKENS = 32
_MAX_LAG_S = 0.1  # a loop that was held up catches up by so much


class Row:
    """A generation."""

    __slots__ = ("asked", "count", "token")

    def __init__(self, asked: wire.Generate) -> None:
        self.asked = asked
        self.count = len(asked.resume.tokens) if asked.resume else 0
        self.token = wire.Token(id=asked.id, content=_TEXT, tokens=[1])


class PlayedEngine(Supervisor):
    """Stands where an agent has its engine's supervisor; `made` counts tokens."""

    def __init__(self, slots: int, step_s: float, on_replies: Callable[[list[wire.AnyReply]], None]) -> None:
        super().__init__((), on_replies=on_replies, on_death=lambda _: None)
        self.made = 0
        self._slots = slots
        self._step_s = step_s
        self._say = on_replies
        self._rows: dict[str, Row] = {}
        self._is_ended = asyncio.Event()

    @property
    def ready(self) -> wire.Ready:
        """Always the same."""
        return wire.Ready(model="played", slots=self._slots, context_tokens=8_192, fingerprint="played")

    @property
    def is_ready(self) -> bool:
        """From the beginning."""
        return True

    async def run(self) -> None:
        """Say what each step says, until `stop`."""
        loop = asyncio.get_running_loop()
        due_s = stats_s = loop.time()
        while not self._is_ended.is_set():
            replies = self._step()
            if loop.time() >= stats_s:
                stats_s += _STATS_EVERY_S
                replies.append(wire.Stats(slots=self._slots, busy=len(self._rows)))
            if replies:
                self._say(replies)
            due_s = max(due_s + self._step_s, loop.time() - _MAX_LAG_S)
            await asyncio.sleep(due_s - loop.time())

    def send(self, request: wire.Request) -> bool:
        """Take a request in; one that is none of ours changes nothing."""
        if isinstance(request, wire.Generate):
            self._rows[request.id] = Row(request)
        elif isinstance(request, wire.Cancel):
            self._rows.pop(request.id, None)
        return True

    async def stop(self, grace_s: float) -> None:
        """End `run` at its next step."""
        del grace_s
        self._is_ended.set()

    def _step(self) -> list[wire.AnyReply]:
        replies: list[wire.AnyReply] = []
        for row in list(self._rows.values()):
            if not row.count:
                replies.append(wire.Started(id=row.asked.id, prompt_tokens=_PROMPT_TOKENS, prompt_hash="played"))
            row.count += 1
            self.made += 1
            replies.append(row.token)
            if row.count >= row.asked.max_tokens:
                del self._rows[row.asked.id]
                usage = Usage(prompt_tokens=_PROMPT_TOKENS, completion_tokens=row.count)
                replies.append(wire.Done(id=row.asked.id, reason="length", usage=usage))
        return replies
