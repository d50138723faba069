"""Services are upgraded by who keeps them, here by a program that stands for systemd."""

import contextlib
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from shared.connection import Broker as Client
from tests.ports import FreePort

from .machine import Machine
from .wheels import build_wheel

Eventually = Callable[..., Awaitable[None]]
Redis = Callable[[], AbstractAsyncContextManager[Client]]
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="launchd has no such stand-in"),
]
QUICK = ("--settle-s", "1", "--wait-s", "40")
SYSTEMCTL = Path(__file__).with_name("systemctl.py")
# What it was told to do is a mistake, it says: nobody starts it again.
REFUSES = {
    "worker/log.py": "def configure(level: str) -> None:\n    print('no such thing here')\n    raise SystemExit(2)\n"
}


@pytest.fixture
def machine(tmp_path: Path, broker: str, free_port: FreePort) -> Iterator[Machine]:
    """A machine whose worker and gateway are services."""
    machine = Machine(tmp_path / "mac-1", "mac-1", broker)
    machine.install(build_wheel(tmp_path, "1.0"), by_uv=False)
    for tool in ("systemctl", "journalctl"):
        path = machine.prefix.parent / "tools" / tool
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SYSTEMCTL}" {tool} "$@"\n')
        path.chmod(0o755)
    machine.env["PATH"] = f"{machine.folder / 'tools'}:{machine.env['PATH']}"
    install(machine, "worker", "--engine", "scripted", "--redis", broker)
    install(machine, "gateway", "--port", str(free_port()), "--redis", broker)
    yield machine
    for part in ("worker", "gateway"):
        command(machine, "service", "remove", part)


def command(machine: Machine, *argv: str) -> None:
    """Run `mlx-pool …` there."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run([str(machine.prefix / "bin/mlx-pool"), *argv], env=machine.env, cwd=machine.folder, check=True)


def install(machine: Machine, part: str, *flags: str) -> None:
    """Have it kept running there."""
    command(machine, "service", "install", part, *flags)


async def test_services_are_stopped_replaced_and_started(
    machine: Machine, redis: Redis, tmp_path: Path, eventually: Eventually
) -> None:
    """The worker first, the gateway last; each runs from the new environment, and has to be well in between."""
    async with redis() as client:
        await eventually(lambda: machine.workers(client), within=60)

        code, news = await machine.upgrade("--to", str(build_wheel(tmp_path, "2.0")), *QUICK)

        assert code == 0, news
        steps = [(each.step, each.part) for each in news if each.step in {"drain", "swap", "well", "done"}]
        assert steps == [
            ("drain", "service worker"),
            ("swap", ""),
            ("well", "service worker"),
            ("drain", "service gateway"),
            ("well", "service gateway"),
            ("done", ""),
        ]
        assert [view.version for view in await machine.workers(client)] == ["2.0"]


async def test_a_service_that_refuses_to_run_is_undone(
    machine: Machine, redis: Redis, tmp_path: Path, eventually: Eventually
) -> None:
    """Its manager has given it up, and its log is told; the old one is started again, and the gateway never ended."""
    async with redis() as client:
        await eventually(lambda: machine.workers(client), within=60)

        code, news = await machine.upgrade("--to", str(build_wheel(tmp_path, "2.0", REFUSES)), *QUICK)

        assert (code, news[-1].step) == (1, "undone"), news
        assert any("no such thing here" in line for each in news for line in each.log)
        assert not any(each.part == "service gateway" for each in news)
        assert [view.version for view in await machine.workers(client)] == ["1.0"]
        assert machine.installed() == "mlx-pool 1.0"
