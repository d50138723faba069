"""A browser of the tests' own, without a screen; and a proxy that has the gateway behind a path of its own."""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

from tests.gateway.access.conftest import GivenKeys
from tests.ports import FreePort

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PREFIX = "/here"
_HEAD = re.compile(rb"^(GET|POST|DELETE|HEAD) /here/", re.MULTILINE)

expect.set_options(timeout=15_000)


def chromium() -> str | None:
    """Where a Chromium is installed."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or (str(ON_MACOS) if ON_MACOS.exists() else None)


class Tab:
    """An open page, with what it complained of and whom it asked."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    async def go(self, view: str) -> None:
        """Show a view."""
        await self.page.goto(f"{self.url}/#/{view}")

    async def ask(self, text: str) -> None:
        """Ask the pool something, as a person does."""
        await self.page.get_by_label("Your question").fill(text)
        await self.page.keyboard.press("Enter")

    @property
    def strangers(self) -> list[str]:
        """The requests that went anywhere but to where the page came from."""
        home = urlsplit(self.url)
        return [
            url
            for url in self.asked
            if (asked := urlsplit(url)).scheme != "data"
            and ((asked.scheme, asked.netloc) != (home.scheme, home.netloc) or not asked.path.startswith(home.path))
        ]


@pytest.fixture
def keys(tmp_path: Path) -> GivenKeys:
    """A file of keys, to which the test gives."""
    return GivenKeys(tmp_path / "keys.json")


Browse = Callable[..., AbstractAsyncContextManager[Tab]]


@pytest.fixture
def browse() -> Browse:
    """Open the page of a gateway for one block; at its end nothing was complained of, and nobody else was asked."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed")

    @contextlib.asynccontextmanager
    async def start(
        url: str, *, width: int = 1_280, is_dark: bool = False, may_refuse: bool = False
    ) -> AsyncGenerator[Tab]:
        async with async_playwright() as tool:
            browser = await tool.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            async with contextlib.aclosing(_Closing(browser)):
                scheme = "dark" if is_dark else "light"
                page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                tab = Tab(page, url)
                await tab.go("")
                yield tab
                refusals = [each for each in tab.complaints if "responded with a status of 401" in each]
                assert [each for each in tab.complaints if not (may_refuse and each in refusals)] == []
                assert tab.strangers == []

    return start


class _Closing:
    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def aclose(self) -> None:
        await self._browser.close()


Proxied = Callable[[int], AbstractAsyncContextManager[str]]


@pytest.fixture
def proxied(free_port: FreePort) -> Proxied:
    """Put a proxy before a gateway's port, which gives it a path; the URL of the page there."""

    @contextlib.asynccontextmanager
    async def start(port: int) -> AsyncGenerator[str]:
        own = free_port()
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await asyncio.gather(
                    _carry(reader, behind_writer, _without_prefix), _carry(behind_reader, writer, lambda data: data)
                )
            behind_writer.close()
            writer.close()
            tasks.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", own)
        try:
            yield f"http://127.0.0.1:{own}{PREFIX}"
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return start


def _without_prefix(data: bytes) -> bytes:
    return _HEAD.sub(rb"\1 /", data)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, change: Callable[[bytes], bytes]) -> None:
    while data := await reader.read(1 << 16):
        writer.write(change(data))
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
