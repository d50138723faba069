"""The gateway put together: Redis, listener, watch, reaper and HTTP server, begun and ended in the right order."""

import asyncio
import contextlib
import socket

import structlog
from starlette.types import ASGIApp

from shared.channel import Listener
from shared.connection import Broker, check_broker, connect
from shared.errors import Fault
from shared.pool import Pool
from shared.tracing import Tracing, tracing_to

from .access.charge import Till
from .access.cors import behind_cors
from .access.host import hosts_of
from .access.lock import Lock
from .admission import Admission
from .anthropic.messages import anthropic_routes
from .app import make_app
from .audience import Audience
from .bulk.loop import Bulk
from .bulk.surface import bulk_routes
from .chat import Chat
from .delivery import Tally
from .drain import Drain
from .following import Following
from .join.surface import join_routes
from .metrics.figures import Ledger
from .metrics.process import Metrics
from .models import model_routes
from .news import News
from .openai.surface import openai_routes
from .page.pulse import Pulse
from .page.surface import page_routes
from .places import places_for
from .reaper import Reaper
from .responses.surface import responses_routes
from .server import Server
from .settings import Settings
from .spans import Spans
from .surveys import Surveys
from .tls import tls_context
from .watch import Watch

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
RETRY_AFTER_S = 0.5
LISTENING_WITHIN_S = 2.0
DISMISSAL_S = 2  # for the streams that are dismissed to say so


async def serve(settings: Settings, lock: Lock | None, listening: socket.socket, drain: Drain) -> None:
    """Serve until the drain begins and is over; whom the lock does not know stays outside.

    Raises:
        Refused: this Redis can't carry a pool; retrying will not help.
        ConfigError: the certificate can't be used, or the system does not allow so many connections.

    """
    tls, places = tls_context(settings.tls_cert, settings.tls_key), places_for(settings.max_connections)
    broker = connect(settings.redis_url, name="gateway")
    try:
        is_checked = await _check(broker)
        tracing_is_on = tracing_to(settings.otlp_endpoint, service="mlx-pool-gateway", tell=_tell_of_tracing)
        async with tracing_is_on as tracing, asyncio.TaskGroup() as tasks:
            parts = Parts(settings, broker, drain, tasks, tracing=tracing)
            stop_within_s = settings.drain_s + DISMISSAL_S
            server = Server(parts.make_app(lock), tls=tls, places=places, stop_within_s=stop_within_s)
            await _run(parts, server, listening, is_checked=is_checked)
    finally:
        await broker.aclose()


class Parts:
    """What a gateway process consists of, besides its server."""

    def __init__(
        self,
        settings: Settings,
        broker: Broker,
        drain: Drain,
        tasks: asyncio.TaskGroup,
        *,
        tracing: Tracing | None = None,
    ) -> None:
        self.settings = settings
        self.tracing = tracing
        self.broker = broker
        self.drain = drain
        self.tasks = tasks
        self.pool = Pool(broker)
        self.tally = Tally()
        self.ledger = Ledger()
        self.surveys = Surveys(self.pool)
        self.news = News(self.surveys)
        self.listener = Listener(settings.redis_url, name="gateway-channels")
        self.watch = Watch(self.listener.fence)
        self.audience = Audience(self.listener, self.watch, tasks)
        self.bulk = Bulk(broker, self.pool, drain)
        self.pulse = Pulse(self.surveys, self.ledger, drain)

    def make_app(self, lock: Lock | None) -> ASGIApp:
        """Build the application, with all that stands in front of it."""
        settings, aliases = self.settings, self.settings.aliases
        till = Till(self.broker, self.pool)
        admission = Admission(self.pool, self.surveys, till, settings.default_model, aliases)
        following = Following(self.pool, admission, self.audience, self.news, ledger=self.ledger, tally=self.tally)
        apis = [
            *openai_routes(following),
            *model_routes(self.surveys, aliases),
            *responses_routes(following),
            *bulk_routes(self.bulk),
            *anthropic_routes(following),
            *join_routes(),
            *page_routes(self.pulse, self.broker, self.pool, queue_url=settings.redis_url),
        ]
        metrics = Metrics(self.tally, self.ledger, lambda: len(self.watch))
        door = make_app(
            chat=Chat(following),
            apis=apis,
            surveys=self.surveys,
            metrics=metrics,
            lock=lock,
            hosts=hosts_of(settings.allowed_hosts, address=settings.host, has_lock=lock is not None),
            drain=self.drain,
            spans=Spans(self.tracing) if self.tracing else None,
        )
        self.bulk.answer_by(door.app, lock.standing if lock else None)
        return behind_cors(door, settings.cors_origins)


async def _run(parts: Parts, server: Server, listening: socket.socket, *, is_checked: bool) -> None:
    host, port = listening.getsockname()[:2]
    url = f"{server.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    works = (
        *(parts.listener.run(), parts.watch.run(), parts.news.run(), parts.surveys.run(), parts.bulk.run()),
        parts.pulse.run(),
    )
    background = [parts.tasks.create_task(work) for work in (*works, _reap(parts, is_checked=is_checked))]
    if is_checked:
        await _until_it_listens(parts.listener)
    serving = parts.tasks.create_task(server.serve(sockets=[listening]))
    log.info("listening", url=url)
    try:
        await _until_drained(parts, server, serving)
    finally:
        parts.audience.dismiss()
    await serving
    for task in background:
        task.cancel()


async def _until_drained(parts: Parts, server: Server, serving: asyncio.Task[None]) -> None:
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


async def _reap(parts: Parts, *, is_checked: bool) -> None:
    while not is_checked:
        await asyncio.sleep(RETRY_AFTER_S)
        is_checked = await _check(parts.broker, is_first=False)
    await Reaper(parts.pool).run()


def _tell_of_tracing(message: str) -> None:
    log.warning("tracing", message=message)


async def _check(broker: Broker, *, is_first: bool = True) -> bool:
    try:
        warnings = await check_broker(broker)
    except Fault as fault:
        if is_first:
            log.warning(
                "broker_unreachable", message=f"{fault.message} It is tried again, and requests get 503 meanwhile."
            )
        return False
    for warning in warnings:
        log.warning("broker_settings", message=warning)
    return True
