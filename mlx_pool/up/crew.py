"""All the processes of one `up`, from the first start to the last end.

Whatever ends it (Ctrl-C, a part that gave up, a broker that can't be used) becomes one `Ending`; the first one counts.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from mlx_pool.failure import CommandError, Unusable

from .kept_part import KeptPart
from .part import Part, stop_order
from .screen import Screen
from .state import StateFile


class Ending(msgspec.Struct, frozen=True):
    """Why `up` ends: because it was asked to, or because of an error that the person has to know."""

    error: CommandError | None = None


class Crew:
    """Owns every part; lives within one task group."""

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        state: StateFile,
        logs: Path,
        screen: Screen,
        report: Callable[[int], Coroutine[None, None, None]],
    ) -> None:
        self._tasks = tasks
        self._state = state
        self._logs = logs
        self._screen = screen
        self._report = report  # tells the queue at once that a worker of this pid is gone
        self._kept: list[KeptPart] = []
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._was_killed = False

    @property
    def is_running(self) -> bool:
        """Whether nothing has brought about the end yet."""
        return not self._ending.done()

    def start(self, part: Part) -> KeptPart:
        """Start a part, which from now on is kept alive."""
        kept = KeptPart(part, self._logs, self._state, self._screen.show, self._on_death)
        self._kept.append(kept)
        self._tasks.create_task(self._keep(kept))
        return kept

    def end(self, ending: Ending) -> None:
        """Bring about the end of `up`; later reasons are ignored."""
        if self.is_running:
            self._ending.set_result(ending)

    def stop_or_kill(self) -> None:
        """Answer a Ctrl-C: the first one drains, the next one ends everything at once."""
        if self.is_running:
            self.end(Ending())
            return
        self._was_killed = True
        for kept in self._kept:
            kept.kill()

    async def ended(self) -> Ending:
        """Wait for what ends this `up`."""
        return await asyncio.shield(self._ending)

    async def stop(self) -> bool:
        """End all parts, stage by stage; tells whether it was in order, not cut short by a second Ctrl-C."""
        for stage in stop_order(kept.part.stage for kept in self._kept):
            await asyncio.gather(*(kept.stop() for kept in self._kept if kept.part.stage == stage))
        return not self._was_killed

    def _on_death(self, part: Part, pid: int) -> None:
        if part.stage == "worker":
            self._tasks.create_task(self._report(pid))

    async def _keep(self, kept: KeptPart) -> None:
        exit_ = await kept.run()
        if exit_ is not None:
            words = kept.last_words.removeprefix(f"mlx-pool {kept.part.stage}: ")
            self.end(Ending(Unusable(f"{kept.part.name}: {words}")))
