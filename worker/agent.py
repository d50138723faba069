"""The agent: one machine's services, from the first connection to the last job handed over."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog
from msgspec.structs import replace

from shared.channel import Listener
from shared.connection import Broker, check_broker, connect
from shared.errors import Fault
from shared.identity import host_name
from shared.limits import Limits, write_limits
from shared.tracing import Tracing

from .admission import Place
from .awake import awake_command, kept_awake
from .claimer import DOORBELL_MS
from .placement import choose_several, first_come
from .service import Connections, Service
from .settings import Settings
from .weights import Found, fetch

BROKER_RETRY_S = 1.0
_PLACEMENTS: dict[str, Place] = {"best": choose_several, "first": first_come}

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Agent:
    """Runs the services of one machine; it holds a list of them, of length one for now."""

    def __init__(self, settings: Settings, *, host: str, pid: int, tracing: Tracing | None = None) -> None:
        self._settings = settings
        self._tracing = tracing
        self._host = host_name(settings.name or host)
        self._pid = pid
        self._services: list[Service] = []
        self._is_draining = asyncio.Event()

    async def run(self) -> None:
        """Serve until drained.

        Raises:
            Refused: something the operator has to mend: no such model, other weights, a wrong password.
            Fault: something here is broken.

        """
        found = await self._find_model()
        async with _connections(self._settings.redis) as connections:
            await self._meet_broker(connections.calls)
            if self._is_draining.is_set():
                return
            await write_limits(connections.calls, found.queue, _defaults(), overwrite=False)
            command = self._command(found)
            self._services = [
                Service(
                    found.queue,
                    command,
                    connections,
                    host=self._host,
                    tracing=self._tracing,
                    place=_PLACEMENTS[self._settings.placement],
                ),
            ]
            with kept_awake(awake_command(sys.platform, self._pid)):
                async with asyncio.TaskGroup() as group:
                    for service in self._services:
                        group.create_task(service.run(drain_s=self._settings.drain_s))

    def drain(self) -> None:
        """Claim no more; `run` returns when the jobs are finished or handed over."""
        self._is_draining.set()
        for service in self._services:
            service.drain()

    def hurry(self) -> None:
        """Hand over at once what a drain still waits for."""
        for service in self._services:
            service.hurry()

    async def _find_model(self) -> Found:
        settings = self._settings
        if settings.engine == "scripted":
            return Found(settings.queue or settings.model or "scripted", "")
        found = await fetch(settings.model, _Progress())
        return replace(found, queue=settings.queue or found.queue)

    def _command(self, found: Found) -> Sequence[str]:
        settings = self._settings
        what = ["worker.engine.scripted"] if settings.engine == "scripted" else ["worker.engine", "--model", found.path]
        adapter = ["--adapter", found.adapter] if found.adapter else []
        context = ["--context", str(settings.context_tokens)] if settings.context_tokens else []
        # -P: a folder of the user's that is called `worker` or `shared` must not be imported in place of ours.
        return [
            sys.executable,
            "-P",
            "-m",
            *what,
            *adapter,
            "--slots",
            str(settings.slots),
            *context,
            *_memory_flags(settings),
            *settings.engine_args.split(),
        ]

    async def _meet_broker(self, broker: Broker) -> None:
        """Wait for Redis, for ever: a worker may start before it."""
        is_first = True
        while not self._is_draining.is_set():
            try:
                for warning in await check_broker(broker):
                    _log.warning("broker_setting", warning=warning)
            except Fault as fault:
                if is_first:
                    _log.warning("broker_awaited", reason=fault.message)
                is_first = False
                await asyncio.sleep(BROKER_RETRY_S)
            else:
                return


@asynccontextmanager
async def _connections(url: str) -> AsyncGenerator[Connections]:
    listener = Listener(url, name="worker-control")
    connections = Connections(
        calls=connect(url, name="worker"),
        beats=connect(url, name="worker-beat", connections=2),
        bell=connect(url, name="worker-bell", timeout_ms=DOORBELL_MS + 2_000, connections=2),
        listener=listener,
    )
    listening = asyncio.create_task(listener.run())
    try:
        yield connections
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        for broker in (connections.calls, connections.beats, connections.bell):
            await broker.aclose()


def _memory_flags(settings: Settings) -> list[str]:
    """What the engine is told of memory; the scripted one needs none."""
    told = {
        "--prompt-cache-mb": settings.prompt_cache_mb,
        "--memory-limit-gb": settings.memory_limit_gb,
        "--wired-limit-gb": settings.wired_limit_gb,
    }
    given = [(flag, str(value)) for flag, value in told.items() if value is not None and settings.engine == "mlx"]
    return [word for pair in given for word in pair]


def _defaults() -> dict[str, int]:
    limits = Limits()
    return {name: getattr(limits, name) for name in Limits.__struct_fields__}


class _Progress:
    """Logs a model's way to this machine: each new message, and each further tenth of it."""

    def __init__(self) -> None:
        self._told = ("", -1)

    def __call__(self, message: str, done: float | None) -> None:
        """Take one report in."""
        told = (message, int((done or 0) * 10))
        if told != self._told:
            self._told = told
            _log.info("model_loading", message=message, progress=done)
