"""`python -m bench.operator`: what the operator of a shelf waits for, and what looking at it costs.

`status`, `join` up to the first job's token, the page's first paint in a browser, and a gateway's time while ten pages
are open and fifty workers tell of themselves.
"""

import argparse
import asyncio
import contextlib
import http.client
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import httpx
import msgspec
from playwright.async_api import async_playwright

from mlx_pool.up.broker import broker_binary
from shared.claims import Claims
from shared.connection import Broker, connect

from .flags import read_flags
from .rig.machine import machine
from .rig.pool import HOST, Pool, pool
from .rig.process import ROOT, Process, end_cleanly_when_terminated, environment, python
from .rig.usage import usage_of
from .table import table

_MODEL = "scripted"
_BEAT_S = 0.5
_SETTLE_S = 3.0
_POLL_S = 0.02
_NOT_YET = frozenset((http.HTTPStatus.NOT_FOUND, http.HTTPStatus.SERVICE_UNAVAILABLE))
_TOLD: dict[str, str | int | float] = {
    "model": _MODEL,
    "state": "ready",
    "slots": 16,
    "busy": 7,
    "device": "Apple M3 Ultra",
    "tokens_per_second": 123.4,
    "memory_bytes": 30 << 30,
    "memory_limit_bytes": 100 << 30,
    "kv_bytes": 3 << 30,
    "jobs_done": 1_234,
    "tokens_done": 123_456,
    "listens": 0,
}


class Flags(msgspec.Struct, frozen=True):
    """What is measured."""

    rounds: int
    workers: int
    pages: int
    seconds: float


def main(argv: Sequence[str]) -> None:
    """Measure, and print the table for LOG.md on stdout."""
    flags = _read_flags(argv)
    end_cleanly_when_terminated()
    print(f"{machine(broker_binary())}\n`python -m bench.operator {shlex.join(argv)}`\n", flush=True)
    with tempfile.TemporaryDirectory() as name, pool(Path(name)) as running:
        rows = [_joins(running, Path(name), flags.rounds)]
        with running.worker("--engine", "scripted"):
            rows.append(_statuses(running, flags.rounds))
            rows.append(asyncio.run(_paints(running, flags.rounds)))
        costs = asyncio.run(_costs(running, flags))
    print(table(("what is waited for", "times", "median ms", "at most"), rows))
    print("\n" + table((f"a gateway, {flags.workers} workers", "% of a core"), costs))


def _statuses(running: Pool, rounds: int) -> Sequence[str]:
    script = Path(sys.executable).with_name("mlx-pool")
    took = [_run_ms([str(script), "status"], running.url) for _ in range(rounds)]
    return _row("`mlx-pool status`", took)


def _joins(running: Pool, folder: Path, rounds: int) -> Sequence[str]:
    """From the command to the first token of a job that has waited for it."""
    took: list[float] = []
    for number in range(rounds):
        argv = python("mlx_pool", "join", "--engine", "scripted", "--model", _MODEL, "--name", f"mac-{number}")
        began = time.perf_counter()
        with Process(f"join-{number}", argv, folder, {"MLX_POOL_REDIS_URL": running.url}):
            _first_token(running.port)
            took.append((time.perf_counter() - began) * 1_000)
    return _row("`mlx-pool join` to the first token, scripted engine", took)


def _first_token(port: int) -> None:
    """Ask until somebody serves it, and read up to the first token."""
    body = msgspec.json.encode({"model": _MODEL, "prompt": "hello", "max_tokens": 4})
    while True:
        client = http.client.HTTPConnection(HOST, port, timeout=60)
        with contextlib.closing(client):
            client.request("POST", "/chat", body=body, headers={"content-type": "application/json"})
            answer = client.getresponse()
            if answer.status not in {http.HTTPStatus.OK, *_NOT_YET}:
                raise ValueError(f"{answer.status}: {answer.read().decode()}")
            if answer.status == http.HTTPStatus.OK:
                while b'"token"' not in answer.readline():
                    pass
                answer.read()
                return
        time.sleep(_POLL_S)


def _run_ms(argv: Sequence[str], url: str) -> float:
    began = time.perf_counter()
    env = environment({"MLX_POOL_REDIS_URL": url})
    subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1_000


async def _paints(running: Pool, rounds: int) -> Sequence[str]:
    """In a context of its own each time: nothing is cached."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_path is None:
        return "the page's first paint", "0", "no browser here", "–"
    took: list[float] = []
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    async with async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(rounds):
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(f"http://{HOST}:{running.port}/")
            await page.wait_for_function(f"({paint}) > 0")
            took.append(await page.evaluate(paint))
            await context.close()
        await browser.close()
    return _row("the page's first paint, nothing cached", took)


async def _costs(running: Pool, flags: Flags) -> list[Sequence[str]]:
    async with _workers(running, flags.workers), httpx.AsyncClient(timeout=None) as client:
        await asyncio.sleep(_SETTLE_S)
        return [
            (f"{pages} open pages", f"{await _share(running, client, pages, flags.seconds):.2f}")
            for pages in (0, 1, flags.pages)
        ]


async def _share(running: Pool, client: httpx.AsyncClient, pages: int, seconds: float) -> float:
    """Per cent of a core that the gateway takes while so many pages listen."""
    listening = [asyncio.create_task(_listen(running.port, client)) for _ in range(pages)]
    await asyncio.sleep(_SETTLE_S)
    before, began = usage_of(running.pids["gateway"]).cpu_s, time.perf_counter()
    await asyncio.sleep(seconds)
    share = (usage_of(running.pids["gateway"]).cpu_s - before) / (time.perf_counter() - began) * 100
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return share


async def _listen(port: int, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", f"http://{HOST}:{port}/pool/events") as answer:
        async for _ in answer.aiter_bytes():
            pass


@contextlib.asynccontextmanager
async def _workers(running: Pool, count: int) -> AsyncGenerator[None]:
    """Workers that tell of themselves as real ones do, and take nothing."""
    broker = connect(running.url, name="bench-operator")
    beating = [asyncio.create_task(_beat(broker, number)) for number in range(count)]
    try:
        yield
    finally:
        for task in beating:
            task.cancel()
        await asyncio.gather(*beating, return_exceptions=True)
        await broker.aclose()


async def _beat(broker: Broker, number: int) -> None:
    claims = Claims(broker, _MODEL, f"mac-{number}.1.{number:08x}", host=f"mac-{number}")
    told = _TOLD | {"host": claims.host}
    await claims.register("bench", told)
    while True:
        await asyncio.sleep(_BEAT_S)
        await claims.beat(told)


def _row(what: str, took: Sequence[float]) -> Sequence[str]:
    return what, str(len(took)), f"{statistics.median(took):,.0f}", f"{max(took):,.0f}"


def _read_flags(argv: Sequence[str]) -> Flags:
    parser = argparse.ArgumentParser(prog="python -m bench.operator", description="What an operator waits for.")
    flag = parser.add_argument
    flag("--rounds", default="10", help="of each (%(default)s)")
    flag("--workers", default="50", help="that tell of themselves (%(default)s)")
    flag("--pages", default="10", help="that are open at last (%(default)s)")
    flag("--seconds", default="15", help="for each number of pages (%(default)s)")
    return read_flags(parser, Flags, argv)


if __name__ == "__main__":
    main(sys.argv[1:])
