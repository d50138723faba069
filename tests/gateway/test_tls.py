"""The gateway's own TLS: files that work, and one clear line about those that do not."""

import asyncio
import ssl
from pathlib import Path

import httpx
import pytest

from gateway.tls import tls_context
from shared.config import ConfigError
from tests.certificates import Certificates

from .conftest import Serving
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
