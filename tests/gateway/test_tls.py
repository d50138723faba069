"""The gateway's own TLS: files that work, and one clear line about those that do not."""

import asyncio
import contextlib
import ssl
import time
from pathlib import Path

import httpx
import pytest

from gateway.places import MAX_LEAVING
from gateway.tls import tls_context
from shared.config import ConfigError
from tests.certificates import Certificates

from .conftest import Eventually, Serving
from .hand import text_in
from .test_process import gateway, run

PROMPT = {"prompt": "x"}


async def test_a_stream_comes_over_tls(serving: Serving, certificates: Certificates) -> None:
    """The client trusts the CA, and gets what it would get without; who speaks plain HTTP gets nothing."""
    cert, key = certificates.issue("gateway")
    async with serving(tls_cert=str(cert), tls_key=str(key)) as served:
        trusting = ssl.create_default_context(cafile=str(certificates.ca))
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{served.port}", verify=trusting) as https:
            answer, _ = await asyncio.gather(https.post("/chat", json=PROMPT), served.hand.generate("안", "녕"))

        assert (answer.status_code, text_in(answer.text)) == (200, "안녕")
        with pytest.raises(httpx.RemoteProtocolError):
            await served.http.get("/health/live")


async def test_handshakes_that_never_end_are_bounded(
    serving: Serving, certificates: Certificates, eventually: Eventually
) -> None:
    """They count from the first moment on: one too many is closed at once, and those that leave make room."""
    cert, key = certificates.issue("gateway")
    trusting = ssl.create_default_context(cafile=str(certificates.ca))
    async with serving(tls_cert=str(cert), tls_key=str(key), max_connections=1) as served:
        url = f"https://127.0.0.1:{served.port}/health/live"
        silent = [await asyncio.open_connection("127.0.0.1", served.port) for _ in range(MAX_LEAVING + 1)]
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert not any(each.at_eof() for each, _ in silent)

        for each in (writer, *(each for _, each in silent)):
            each.close()

        async def is_served() -> bool:
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(verify=trusting) as https:
                    return (await https.get(url)).status_code == 200
            return False

        await eventually(is_served)


@pytest.mark.long
async def test_handshakes_that_never_end_are_cut(serving: Serving, certificates: Certificates) -> None:
    """Eight to ten seconds after they began, whatever was sent by then; others are served meanwhile."""
    cert, key = certificates.issue("gateway")
    trusting = ssl.create_default_context(cafile=str(certificates.ca))
    async with serving(tls_cert=str(cert), tls_key=str(key)) as served:
        url = f"https://127.0.0.1:{served.port}/health/live"
        began_s = time.monotonic()
        enduring = [asyncio.create_task(endure(served.port, b"\x16\x03\x01" * (at % 2))) for at in range(200)]
        statuses: set[int] = set()
        while not all(each.done() for each in enduring):
            async with httpx.AsyncClient(verify=trusting) as https:
                statuses.add((await https.get(url)).status_code)

        ends_s = await asyncio.gather(*enduring)
        assert 7.5 < min(ends_s) - began_s < max(ends_s) - began_s < 15
        assert statuses == {200}


async def endure(port: int, hello: bytes) -> float:
    """Begin a handshake, go on never; when it was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(hello)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    return time.monotonic()


async def test_the_address_that_is_logged_says_https(broker: str, certificates: Certificates) -> None:
    """It can be copied as it stands."""
    cert, key = certificates.issue("gateway")
    async with gateway("--redis", broker, "--tls-cert", str(cert), "--tls-key", str(key)) as (_, http):
        assert http.base_url.scheme == "https"


async def test_a_wrong_certificate_is_one_line_and_exit_2(broker: str, tmp_path: Path) -> None:
    """The line names the files."""
    missing = str(tmp_path / "missing.crt")

    code, said = await run("--redis", broker, "--port", "0", "--tls-cert", missing, "--tls-key", missing)

    assert (code, said.count("\n")) == (2, 1)
    assert "missing.crt" in said


def test_what_is_wrong_with_the_files_is_said(certificates: Certificates, tmp_path: Path) -> None:
    """A missing half, another certificate's key, a key behind a password, no PEM at all."""
    cert, key = certificates.issue("gateway")
    _, other = certificates.issue("other")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")

    for files, named in (
        ((cert, None), "both files"),
        ((None, key), "both files"),
        ((cert, other), "not this certificate's"),
        ((cert, certificates.encrypted(key)), "encrypted"),
        ((nonsense, key), "PEM"),
        ((cert, nonsense), "PEM"),
        ((cert, tmp_path / "missing"), "No such file"),
    ):
        with pytest.raises(ConfigError, match=named):
            tls_context(*(None if path is None else str(path) for path in files))


def test_without_files_there_is_no_tls() -> None:
    """A proxy in front may do it."""
    assert tls_context(None, None) is None
