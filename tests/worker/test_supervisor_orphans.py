"""An agent that is killed leaves no engine behind: a restarted worker must not load a second model beside it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest

AGENT = """
import asyncio, sys, structlog
from worker.supervisor import Supervisor

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

def told(what):
    print(supervisor.pid, flush=True)

supervisor = Supervisor([sys.executable, "-m", "worker.engine.scripted", *sys.argv[1:]],
                        on_replies=told, on_death=lambda death: None)
asyncio.run(supervisor.run())
"""


Eventually = Callable[[Callable[[], object]], Awaitable[None]]


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("flags", [[], ["--load-ms", "60000"], ["--fault", "hang@0"]])
async def test_an_agent_killed_with_9_takes_its_engine_along(flags: list[str], eventually: Eventually) -> None:
    """The end of its input ends the engine, whether it serves, loads or hangs."""
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, *flags, stdout=asyncio.subprocess.PIPE)
    assert agent.stdout
    engine = int(await agent.stdout.readline())
    assert is_alive(engine)

    agent.send_signal(signal.SIGKILL)

    await agent.wait()
    await eventually(lambda: not is_alive(engine))
