"""`python -m bench.clock.worker`: the pool's own agent, with the clock engine in the place of the scripted one."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence

from shared.config import read_config
from worker.agent import Agent
from worker.log import configure
from worker.settings import Settings
from worker.weights import Found


class ClockAgent(Agent):
    """An agent whose engine tells the time."""

    def _command(self, found: Found, limit: int | None = None) -> Sequence[str]:
        words = list(super()._command(found, limit))
        words[words.index("worker.engine.scripted")] = "bench.clock.engine"
        return words


async def main() -> None:
    """Serve until SIGTERM."""
    settings = read_config(Settings, sys.argv[1:], os.environ, prog="bench.clock.worker")
    configure(settings.log_level)
    agent = ClockAgent(settings, host=socket.gethostname(), pid=os.getpid())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, agent.drain)
    await agent.run()


if __name__ == "__main__":
    asyncio.run(main())
