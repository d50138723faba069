"""What every gateway does besides serving: looking for batches that nobody runs, and running some."""

import asyncio
import contextlib
import secrets

import structlog
from starlette.types import ASGIApp

from gateway.caller import Caller
from gateway.drain import Drain
from shared.bulk import Batches
from shared.bulk_file import BulkFiles
from shared.connection import Broker
from shared.errors import Fault
from shared.pool import Pool

from .rights import Standing
from .run_batch import LEASE_MS, Run, Tools
from .turn import in_turn

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
LOOK_EVERY_S = 1.0
REST_S = 30.0  # behind a crash, before the same batch is tried here again
BATCHES_AT_ONCE = 8  # of the whole pool: with the lines of each, far fewer jobs than may wait


class Bulk:
    """The batches that this gateway runs."""

    def __init__(self, broker: Broker, pool: Pool, drain: Drain) -> None:
        self.batches = Batches(broker)
        self.files = BulkFiles(broker)
        self._pool = pool
        self._drain = drain
        self._name = secrets.token_hex(8)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._app: ASGIApp | None = None
        self._standing: Standing = _unchanged

    def look(self) -> None:
        """Look at once: a batch was made, or is to be cancelled."""
        self._wake.set()

    def answer_by(self, app: ASGIApp, standing: Standing | None) -> None:
        """Let lines be requests to these routes, by what their batch's key may do now; None: there are no keys."""
        self._app = app
        self._standing = standing or _unchanged

    async def run(self) -> None:
        """Run batches until the drain begins; other gateways go on with them then."""
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(self._drain.wait())
            draining.add_done_callback(lambda _: self._wake.set())
            while not self._drain.is_draining:
                with contextlib.suppress(Fault):
                    await self._look(tasks)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._wake.wait()
                self._wake.clear()
            for run in self._running.values():
                run.cancel()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        for tag in in_turn(await self.batches.unfinished(), BATCHES_AT_ONCE):
            if tag not in self._running:
                await self._take(tag, tasks)

    async def _take(self, tag: str, tasks: asyncio.TaskGroup) -> None:
        epoch = await self.batches.claim(tag, self._name, LEASE_MS)
        if epoch in ("ended", "gone"):
            await self.batches.strike(tag)
        elif isinstance(epoch, int):
            run = self._running[tag] = tasks.create_task(self._run_guarded(tag, epoch))
            run.add_done_callback(lambda _: self._end(tag))

    async def _run_guarded(self, tag: str, epoch: int) -> None:
        try:
            with contextlib.suppress(Fault):  # it is taken again
                await self._run(tag, epoch)
        except Exception:  # one batch must not end the gateway: not even one that only a later version can read
            log.exception("batch_crashed", batch=tag)
            await asyncio.sleep(REST_S)

    async def _run(self, tag: str, epoch: int) -> None:
        if batch := await self.batches.find(tag):
            log.info("batch_taken", batch=tag, epoch=epoch, line=batch.line)
            assert self._app
            tools = Tools(self._app, self._pool, self.batches, self.files, self._standing)
            await Run(tools, batch, epoch).run()

    def _end(self, tag: str) -> None:
        del self._running[tag]
        self._wake.set()  # there may be another one that waits for its turn


def _unchanged(caller: Caller) -> Caller:
    return caller
