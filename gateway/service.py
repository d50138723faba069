"""The gateway put together: Redis, listener, watch, reaper and HTTP server, begun and ended in the right order."""

import asyncio
import contextlib
import socket
from collections.abc import Generator

import structlog
import uvicorn

from shared.channel import Listener
from shared.connection import Broker, check_broker, connect
from shared.errors import Fault
from shared.pool import Pool

from .admission import Admission
from .app import make_app
from .audience import Audience
from .chat import Chat
from .connection import Connection
from .delivery import Tally
from .door import Door
from .drain import Drain
from .keys import ApiKey
from .metrics import Metrics
from .reaper import Reaper
from .settings import Settings
from .surveys import Surveys
from .watch import Watch

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
RETRY_AFTER_S = 0.5
LISTENING_WITHIN_S = 2.0
KEEP_ALIVE_S = 30
DISMISSAL_S = 2  # for the streams that are dismissed to say so


async def serve(settings: Settings, key: ApiKey | None, listening: socket.socket, drain: Drain) -> None:
    """Serve until the drain begins and is over.

    Raises:
        Refused: this Redis can't carry a pool; retrying will not help.

    """
    broker = connect(settings.redis_url, name="gateway")
    try:
        is_checked = await _check(broker)
        async with asyncio.TaskGroup() as tasks:
            await _run(_Parts(settings, broker, drain, tasks), key, listening, is_checked=is_checked)
    finally:
        await broker.aclose()


class _Parts:
    """What a gateway process consists of, besides its server."""

    def __init__(self, settings: Settings, broker: Broker, drain: Drain, tasks: asyncio.TaskGroup) -> None:
        self.settings = settings
        self.broker = broker
        self.drain = drain
        self.tasks = tasks
        self.pool = Pool(broker)
        self.tally = Tally()
        self.watch = Watch()
        self.surveys = Surveys(self.pool)
        self.listener = Listener(settings.redis_url, name="gateway-channels")
        self.audience = Audience(self.listener, self.watch, tasks)

    def make_app(self, key: ApiKey | None) -> Door:
        admission = Admission(self.pool, self.surveys, self.settings.default_model)
        chat = Chat(self.pool, admission, self.audience, self.tally)
        metrics = Metrics(self.tally, lambda: len(self.watch))
        return make_app(chat=chat, surveys=self.surveys, metrics=metrics, key=key, drain=self.drain)


async def _run(parts: _Parts, key: ApiKey | None, listening: socket.socket, *, is_checked: bool) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    works = (parts.listener.run(), parts.watch.run(), parts.surveys.run(), _reap(parts, is_checked=is_checked))
    background = [parts.tasks.create_task(work) for work in works]
    if is_checked:
        await _until_it_listens(parts.listener)
    server = _Server(_server_config(parts.make_app(key), parts.settings.drain_s))
    serving = parts.tasks.create_task(server.serve(sockets=[listening]))
    log.info("listening", url=url)
    try:
        await _until_drained(parts, server, serving)
    finally:
        parts.audience.dismiss()
    await serving
    for task in background:
        task.cancel()


async def _until_drained(parts: _Parts, server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    await parts.drain.wait()
    log.info("draining", streams=len(parts.watch), within_s=parts.settings.drain_s)
    server.should_exit = True
    await asyncio.wait([serving], timeout=parts.settings.drain_s)


async def _until_it_listens(listener: Listener) -> None:
    # Whoever reads `listening` in the log may ask at once, and must not be told that Redis is away.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LISTENING_WITHIN_S):
            while not listener.is_connected:  # noqa: ASYNC110 it gives no signal, and this happens once
                await asyncio.sleep(0.005)


def _server_config(app: Door, drain_s: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s + DISMISSAL_S,
    )


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to `Drain`."""
        yield


async def _reap(parts: _Parts, *, is_checked: bool) -> None:
    while not is_checked:
        await asyncio.sleep(RETRY_AFTER_S)
        is_checked = await _check(parts.broker, is_first=False)
    await Reaper(parts.pool).run()


async def _check(broker: Broker, *, is_first: bool = True) -> bool:
    try:
        warnings = await check_broker(broker)
    except Fault as fault:
        if is_first:
            log.warning("broker_unreachable", message=f"{fault.message}; retrying, and answering 503 meanwhile")
        return False
    for warning in warnings:
        log.warning("broker_settings", message=warning)
    return True
