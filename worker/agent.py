"""The agent: one machine's services, from the first connection to the last job handed over."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import structlog

from shared.channel import Listener
from shared.connection import Broker, check_broker, connect
from shared.errors import Fault, Refused
from shared.identity import host_name
from shared.limits import Limits, write_limits
from shared.peers import Peers
from shared.tracing import Tracing

from .admission import Place
from .arrangement import Rules
from .awake import awake_command, kept_awake
from .claimer import DOORBELL_MS
from .hints import Hints
from .neighbours import supply_in
from .outside import read_place
from .placement import choose_several, first_come
from .refusals import Refusals
from .roster import GIB, Model, Roster, call_roll
from .service import Connections, Service
from .settings import Settings
from .sharing import Sharing
from .shelf import Shelf
from .stand import Stand
from .standby import SLOW_BELL_MS
from .tending import Progress
from .weights import Found, fetch

BROKER_RETRY_S = 1.0
_PLACEMENTS: dict[str, Place] = {"best": choose_several, "first": first_come}

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Agent:
    """Runs the services of one machine: one for each model, loaded or not."""

    def __init__(self, settings: Settings, *, host: str, pid: int, tracing: Tracing | None = None) -> None:
        self._settings = settings
        self._tracing = tracing
        self._host = host_name(settings.name or host)
        self._pid = pid
        self._hints = Hints(sys.platform)
        self._services: list[Service] = []
        self._left: list[Refused] = []
        self._sharing: Sharing | None = None
        self._is_draining = asyncio.Event()

    async def run(self) -> None:
        """Serve until drained.

        Raises:
            Refused: something the operator has to mend: no such model, other weights, a wrong password.
            Fault: something here is broken.

        """
        if self._settings.share_models:
            read_place(self._settings.share_models)
        roster = await self._call_roll()
        if roster is None:
            return
        async with _connections(self._settings.redis, queues=len(roster.models)) as connections:
            await self._meet_broker(connections.calls)
            if self._is_draining.is_set():
                return
            for model in roster.models:
                await write_limits(connections.calls, model.found.queue, _defaults(), overwrite=False)
            with kept_awake(awake_command(sys.platform, self._pid)):
                await self._serve(roster, connections)

    async def _call_roll(self) -> Roster | None:
        """Settle what is served, which may fetch a model; None where a drain comes before that is done."""
        roll = asyncio.create_task(call_roll(self._settings, _Told()))
        drained = asyncio.create_task(self._is_draining.wait())
        try:
            await asyncio.wait([roll, drained], return_when=asyncio.FIRST_COMPLETED)
            return roll.result() if roll.done() else None
        finally:
            for task in (roll, drained):
                task.cancel()
            await asyncio.gather(roll, drained, return_exceptions=True)

    async def _serve(self, roster: Roster, connections: Connections) -> None:
        """Serve all models until the last one has drained, or has left its queue."""
        if self._is_draining.is_set():
            return  # there was no service yet to be told so
        settings = self._settings
        stands = [_stand(model) for model in roster.models]
        rules = Rules(roster.budget, settings.turn_s, settings.keep_loaded_s)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._hints.watch())]
            if settings.share_models:
                self._sharing = self._shared(roster, connections)
                beside.append(group.create_task(self._sharing.run()))
            if settings.on_demand:
                beside.append(group.create_task(Shelf(stands, rules).run()))
            served = zip(roster.models, stands, strict=True)
            self._services = [self._service(model, stand, connections) for model, stand in served]
            pairs = zip(roster.models, self._services, strict=True)
            await asyncio.wait([group.create_task(self._serve_one(*pair)) for pair in pairs])
            for task in beside:
                task.cancel()
        if len(self._left) == len(self._services):
            raise self._left[-1]

    async def _serve_one(self, model: Model, service: Service) -> None:
        """Serve one model. One on demand that can't be served here is left to others, and costs the rest nothing."""
        try:
            await service.run(drain_s=self._settings.drain_s)
        except Refused as refused:
            if model.is_pinned:
                raise
            _log.error("model_left", model=model.found.queue, reason=refused.message)
            self._left.append(refused)

    def _shared(self, roster: Roster, connections: Connections) -> Sharing:
        """Make what gives this machine's models to others: those that are here, and others once they are."""
        settings = self._settings
        sharing = Sharing(
            Peers(connections.calls),
            settings.share_models,
            peer_id=f"{self._host}.{self._pid}",
            redis_url=settings.redis,
        )
        for model in roster.models:
            if model.fetch_s == 0:
                sharing.give(model.found)
        return sharing

    def _service(self, model: Model, stand: Stand, connections: Connections) -> Service:
        async def bring(on_progress: Progress) -> None:
            supply = await supply_in(connections.calls, model.found.queue)
            found = await fetch(model.name, on_progress, supply)
            if self._sharing is not None:
                self._sharing.give(found)

        return Service(
            stand,
            self._command(model.found, model.limit),
            connections,
            host=self._host,
            hints=self._hints,
            tracing=self._tracing,
            place=_PLACEMENTS[self._settings.placement],
            fetch=None if model.is_pinned else bring,
        )

    def drain(self) -> None:
        """Claim no more; `run` returns when the jobs are finished or handed over."""
        self._is_draining.set()
        for service in self._services:
            service.drain()

    def hurry(self) -> None:
        """Hand over at once what a drain still waits for."""
        for service in self._services:
            service.hurry()

    def _command(self, found: Found, limit: int | None = None) -> Sequence[str]:
        settings = self._settings
        what = ["worker.engine.scripted"] if settings.engine == "scripted" else ["worker.engine", "--model", found.path]
        name = ["--model", found.queue] if settings.engine == "scripted" and settings.on_demand else []
        adapter = ["--adapter", found.adapter] if found.adapter else []
        context = ["--context", str(settings.context_tokens)] if settings.context_tokens else []
        # -P: a folder of the user's that is called `worker` or `shared` must not be imported in place of ours.
        return [
            sys.executable,
            "-P",
            "-m",
            *what,
            *name,
            *adapter,
            "--slots",
            str(settings.slots),
            *context,
            *_memory_flags(settings, limit),
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
async def _connections(url: str, *, queues: int) -> AsyncGenerator[Connections]:
    listener = Listener(url, name="worker-control")
    few, hear = 2 * queues, Refusals().hear
    slow_ms = SLOW_BELL_MS + 2_000
    connections = Connections(
        calls=connect(url, name="worker", on_refusal=hear),
        beats=connect(url, name="worker-beat", connections=few, on_refusal=hear),
        bell=connect(url, name="worker-bell", timeout_ms=DOORBELL_MS + 2_000, connections=few, on_refusal=hear),
        slow_bell=connect(url, name="worker-standby", timeout_ms=slow_ms, connections=few, on_refusal=hear),
        listener=listener,
    )
    listening = asyncio.create_task(listener.run())
    try:
        yield connections
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        for broker in (connections.calls, connections.beats, connections.bell, connections.slow_bell):
            await broker.aclose()


def _stand(model: Model) -> Stand:
    return Stand(
        model.found.queue,
        size=model.limit or 0,
        load_s=model.load_s,
        fetch_s=model.fetch_s,
        pinned=model.is_pinned,
    )


def _memory_flags(settings: Settings, limit: int | None) -> list[str]:
    """What the engine is told of memory; the scripted one needs none."""
    told = {
        "--prompt-cache-mb": settings.prompt_cache_mb,
        "--memory-limit-gb": settings.memory_limit_gb if limit is None else round(limit / GIB, 3),
        "--wired-limit-gb": settings.wired_limit_gb,
    }
    given = [(flag, str(value)) for flag, value in told.items() if value is not None and settings.engine == "mlx"]
    return [word for pair in given for word in pair]


def _defaults() -> dict[str, int]:
    limits = Limits()
    return {name: getattr(limits, name) for name in Limits.__struct_fields__}


class _Told:
    """Logs a model's way to this machine: each new message, and each further tenth of it."""

    def __init__(self) -> None:
        self._told = ("", -1)

    def __call__(self, message: str, done: float | None) -> None:
        """Take one report in."""
        told = (message, int((done or 0) * 10))
        if told != self._told:
            self._told = told
            _log.info("model_loading", message=message, progress=done)
