"""Real machines' upgrade: two environments, a pool on loopback, and streams that go on meanwhile."""

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import signal
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from shared.connection import Broker as Client
from shared.event import Done, Event, Started, Token, decode_event
from shared.pool import Pool
from shared.queue import Submission
from tests.ports import FreePort

from .machine import MODEL, Machine
from .wheels import build_wheel, uv

Eventually = Callable[..., Awaitable[None]]
Redis = Callable[[], AbstractAsyncContextManager[Client]]
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
TOKENS = 60
QUICK = ("--settle-s", "1", "--wait-s", "40")
# It shows its help, and one worker starts: no trial beforehand can see what is wrong with it.
DIES = """
from pathlib import Path

def configure(level: str) -> None:
    try:
        (Path.home() / "one-has-started").touch(exist_ok=False)
    except FileExistsError:
        raise SystemExit("this version does not work") from None
"""


@pytest.fixture
def machines(tmp_path: Path, broker: str) -> list[Machine]:
    """Two machines with version 1.0, one by pip and one by uv, where that is there."""
    wheel = build_wheel(tmp_path, "1.0")
    made = [Machine(tmp_path / name, name, broker) for name in ("mac-1", "mac-2")]
    for machine in made:
        machine.install(wheel, by_uv=machine.name == "mac-2" and bool(uv()))
    return made


class Streams:
    """Jobs that are put on the queue all the while, one after the other."""

    def __init__(self, client: Client) -> None:
        self._queue = Pool(client).queue(MODEL)
        self._ids: list[str] = []

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncGenerator[None]:
        """Put them there as long as the block runs."""
        asking = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def said(self, eventually: Eventually) -> list[list[Event]]:
        """Wait until all have ended, and give what each said."""
        await eventually(self._have_ended, within=60)
        logs = [await self._queue.read_log(job_id) for job_id in self._ids]
        return [[event for entry in log if (event := decode_event(entry.data))] for log in logs]

    async def _ask(self) -> None:
        while True:
            job_id = f"stream-{secrets.token_hex(8)}"
            body = {"prompt": "tell me", "max_tokens": TOKENS, "seed": 7, "temperature": 0}
            await self._queue.submit([Submission(job_id, json.dumps(body).encode(), 60_000)])
            self._ids.append(job_id)
            await asyncio.sleep(0.3)  # the pace of who asks, not a wait

    async def _have_ended(self) -> bool:
        peeked = await self._queue.peek(self._ids)
        return all(peek is not None and peek.state == "ended" for peek in peeked)


def assert_whole(streams: list[list[Event]]) -> None:
    """Each is what an undisturbed one is: all its events once and in order, the same text, and its whole length."""
    texts = {"".join(event.content for event in events if isinstance(event, Token)) for events in streams}
    assert len(texts) == 1
    for events in streams:
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        end = events[-1]
        assert isinstance(end, Done)
        assert end.usage.completion_tokens == TOKENS


def was_handed_over(events: list[Event]) -> bool:
    """Whether another worker went on with it in mid-stream."""
    return any(isinstance(event, Started) and event.resumed_tokens for event in events)


async def test_two_machines_are_upgraded_and_no_stream_has_a_seam(
    machines: list[Machine], redis: Redis, tmp_path: Path, eventually: Eventually, free_port: FreePort
) -> None:
    """One after the other, over what stands for ssh: each drains, and comes back with the new version."""
    wheel, ssh = build_wheel(tmp_path, "2.0"), ssh_to(machines, tmp_path)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis())
        for machine in machines:
            workers = 2 if machine.name == "mac-1" else 1
            await stack.enter_async_context(machine.up(free_port(), workers=workers))
            await eventually(lambda: has(machine, client, workers), within=60)  # noqa: B023 -- awaited in its own turn
        streams = Streams(client)
        flags = ("--hosts", "mac-1,mac-2", "--ssh", str(ssh), "--to", str(wheel), *QUICK)

        async with streams.going_on():
            code, news = await machines[0].upgrade(*flags)

        assert code == 0, news
        assert news[-1].told == "all 2 machine(s) are done: mac-1, mac-2"
        assert [view.version for machine in machines for view in await machine.workers(client)] == ["2.0"] * 3
        assert [(machine.installed(), machine.beside()) for machine in machines] == [("mlx-pool 2.0", [])] * 2
        said = await streams.said(eventually)
        assert_whole(said)
        assert sum(map(was_handed_over, said)) >= 2


async def test_a_version_that_dies_at_its_start_is_undone(
    machines: list[Machine], redis: Redis, tmp_path: Path, eventually: Eventually, free_port: FreePort
) -> None:
    """All that had its turn runs the old one again, its log says why, the pool serves as before, the exit code is 1."""
    machine, wheel = machines[0], build_wheel(tmp_path, "2.0", {"worker/log.py": DIES})
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis())
        await stack.enter_async_context(machine.up(free_port(), workers=2))
        await eventually(lambda: has(machine, client, 2), within=60)
        streams = Streams(client)

        async with streams.going_on():
            code, news = await machine.upgrade("--to", str(wheel), *QUICK)

        assert (code, news[-1].step) == (1, "undone"), news
        assert any("this version does not work" in line for each in news for line in each.log)
        assert [view.version for view in await machine.workers(client)] == ["1.0", "1.0"]
        assert (machine.installed(), machine.beside()) == ("mlx-pool 1.0", [])
        assert_whole(await streams.said(eventually))


async def test_what_can_not_be_installed_touches_nothing(
    machines: list[Machine], redis: Redis, tmp_path: Path, eventually: Eventually, free_port: FreePort
) -> None:
    """A version that is nowhere, or one that does not even start, costs nobody a drain."""
    broken = build_wheel(tmp_path, "3.0", {"worker/settings.py": "import what_is_not_there\n"})
    async with redis() as client, machines[0].up(free_port()):
        await eventually(lambda: has(machines[0], client, 1), within=60)
        before = await machines[0].workers(client)

        nowhere = await machines[0].upgrade("--to", "9.9")
        code, news = await machines[0].upgrade("--to", str(broken), *QUICK)
        same = await machines[0].upgrade("--to", str(tmp_path / "mlx_pool-1.0-py3-none-any.whl"))

        assert (nowhere[0], code, same[0]) == (1, 1, 0)
        assert "can't be installed" in nowhere[1][-1].told
        assert "what_is_not_there" in news[-1].told
        assert same[1][-1].told == "mlx-pool 1.0 is what runs here already"
        assert [view.id for view in await machines[0].workers(client)] == [view.id for view in before]


async def test_once_something_was_stopped_nothing_stops_the_upgrade(
    machines: list[Machine], redis: Redis, tmp_path: Path, eventually: Eventually, free_port: FreePort
) -> None:
    """A lost connection, a closed terminal or a Ctrl-C leave no machine between two versions; jobs wait meanwhile."""
    machine, wheel = machines[0], build_wheel(tmp_path, "2.0")
    async with redis() as client, machine.up(free_port()):
        await eventually(lambda: has(machine, client, 1), within=60)
        streams = Streams(client)

        async with streams.going_on():
            code = await machine.upgrade_until("drain", hang_up, "--to", str(wheel), *QUICK)

        assert code == 0
        assert [view.version for view in await machine.workers(client)] == ["2.0"]
        assert machine.beside() == []
        assert_whole(await streams.said(eventually))


async def test_before_that_a_ctrl_c_calls_it_off(machines: list[Machine], tmp_path: Path) -> None:
    """Nothing was changed then."""
    machine, wheel = machines[1], build_wheel(tmp_path, "2.0")

    code = await machine.upgrade_until("fetch", lambda session: os.killpg(session, signal.SIGINT), "--to", str(wheel))

    assert code == 130
    assert (machine.installed(), machine.beside()) == ("mlx-pool 1.0", [])


def hang_up(session: int) -> None:
    """Have a session end as it ends with its terminal, and press Ctrl-C besides."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        os.killpg(session, number)


async def has(machine: Machine, client: Client, workers: int) -> bool:
    """Whether so many of its workers take jobs."""
    return len(await machine.workers(client)) == workers


def ssh_to(machines: list[Machine], folder: Path) -> Path:
    """Make what stands for ssh: it runs a command as that machine's shell would."""
    program = folder / "ssh"
    cases = "\n".join(f'{machine.name}) exec env {settings(machine)} /bin/sh -c "$2";;' for machine in machines)
    program.write_text(f'#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\ncase "$1" in\n{cases}\nesac\nexit 255\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def settings(machine: Machine) -> str:
    """Write a machine's environment as `env` reads it."""
    return shlex.join(f"{name}={value}" for name, value in machine.env.items())
