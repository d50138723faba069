"""`python -m worker`: the composition root of a worker. Exit 0 drained, 1 a fault, 2 something to correct."""

import asyncio
import os
import signal
import socket
import sys

import structlog

from shared.config import ConfigError, HelpWanted, read_config
from shared.errors import PoolError, Refused
from shared.tracing import tracing_to

from .agent import Agent
from .log import configure
from .settings import Settings


def main() -> int:
    """Run a worker until it has drained."""
    try:
        settings = read_config(Settings, sys.argv[1:], os.environ, prog="mlx-pool worker")
    except HelpWanted as wanted:
        print(wanted)  # noqa: T201 the command's voice
        return 0
    except ConfigError as error:
        return _complain(str(error), 2)
    configure(settings.log_level)
    try:
        asyncio.run(_run(settings))
    except BaseExceptionGroup as group:
        return _exit_code(_first(group))
    except PoolError as error:
        return _exit_code(error)
    return 0


async def _run(settings: Settings) -> None:
    async with tracing_to(settings.otlp_endpoint, service="mlx-pool-worker", tell=_tell_of_tracing) as tracing:
        await _serve(Agent(settings, host=socket.gethostname(), pid=os.getpid(), tracing=tracing))


def _tell_of_tracing(message: str) -> None:
    structlog.get_logger().warning("tracing", message=message)


async def _serve(agent: Agent) -> None:
    work = asyncio.create_task(agent.run())
    signals = 0

    def on_signal() -> None:
        # The first drains; the second hands over at once; the third does not wait for Redis either.
        nonlocal signals
        signals += 1
        if signals == 1:
            agent.drain()
        elif signals == 2:
            agent.hurry()
        else:
            work.cancel()
        # Last, since stderr may be gone with whoever read it.
        structlog.get_logger().info("draining", signals=signals)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    await work


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first  # pyright: ignore[reportUnknownArgumentType] its parameter is not kept


def _exit_code(error: BaseException) -> int:
    if isinstance(error, Refused):
        return _complain(error.message, 2)
    if isinstance(error, PoolError):
        return _complain(error.message, 1)
    raise error


def _complain(text: str, code: int) -> int:
    for line in text.splitlines():
        print(f"mlx-pool worker: {line}", file=sys.stderr)  # noqa: T201 the command's voice
    return code


if __name__ == "__main__":
    sys.exit(main())
