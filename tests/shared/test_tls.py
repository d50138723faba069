"""TLS to Redis: what a URL may say of it, and what is told where it does not work."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.channel import Batch, Listener
from shared.connection import check_broker, connect
from shared.errors import PoolError, Refused
from shared.tls import tls_context
from tests.certificates import Certificates
from tests.conftest import Eventually


class Front:
    """What a Redis with TLS is to its clients: here a door before one without, that asks them for certificates."""

    def __init__(self, broker: str, certificates: Certificates) -> None:
        self.certificates = certificates
        self._target = urlsplit(broker).port
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates.ca))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_cert_chain(*certificates.issue("redis"))
        self.port = 0

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Let clients in while the block runs."""
        async with asyncio.TaskGroup() as tasks:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
            self.port = server.sockets[0].getsockname()[1]
            self._tasks = tasks
            yield
            server.close()

    def url(self, *, ca: Path | None = None, own: tuple[Path, Path] | None = None, host: str = "127.0.0.1") -> str:
        """Its address, with these files."""
        files = {"ssl_ca_certs": ca, "ssl_certfile": own and own[0], "ssl_keyfile": own and own[1]}
        query = "&".join(f"{name}={path}" for name, path in files.items() if path)
        return f"rediss://{host}:{self.port}/0?{query}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@pytest.fixture
def front(broker: str, certificates: Certificates) -> Front:
    """Before the test's broker."""
    return Front(broker, certificates)


async def refusal(url: str) -> str:
    """What is said of a URL that will not work."""
    async with contextlib.aclosing(connect(url, name="test")) as client:
        with pytest.raises(PoolError) as refused:
            await check_broker(client)
    return refused.value.message


async def test_commands_and_channels_go_over_tls(front: Front, eventually: Eventually) -> None:
    """With the CA and a certificate of one's own in the URL, everything is as without TLS."""
    heard: list[Batch] = []
    async with front.open():
        url = front.url(ca=front.certificates.ca, own=front.certificates.issue("client"))
        client, listener = connect(url, name="test"), Listener(url, name="listener")
        async with contextlib.aclosing(client):
            assert await check_broker(client) == []
            listening = asyncio.create_task(listener.run())
            await eventually(lambda: listener.is_connected)
            await listener.listen("c", heard.append, lambda: None)
            await client.command("PUBLISH", "c", "1 w 1\n{}")
            await eventually(lambda: heard)
            listening.cancel()
            await asyncio.wait([listening])


async def test_a_server_that_nobody_vouches_for_is_refused(front: Front) -> None:
    """Neither the system's CAs nor another one know it; retrying would not help; the line says what would."""
    own = front.certificates.issue("client")
    async with front.open():
        by_system = await refusal(front.url(own=own))
        by_another = await refusal(front.url(ca=own[0], own=own))

    assert "not trusted" in by_system
    assert "ssl_ca_certs=FILE" in by_system
    assert "not trusted" in by_another


async def test_a_server_that_wants_a_certificate_says_so(front: Front) -> None:
    """The line names the two files that are missing; some servers say what they want, others just hang up."""
    async with front.open():
        told = await refusal(front.url(ca=front.certificates.ca))

    assert "ssl_certfile=FILE&ssl_keyfile=FILE" in told


def test_files_that_can_not_be_used_are_named(certificates: Certificates, tmp_path: Path) -> None:
    """At once, and not as a Redis that does not answer."""
    cert, key = certificates.issue("client")
    nonsense, missing = tmp_path / "nonsense", tmp_path / "missing"
    nonsense.write_text("nonsense")

    for options, named in (
        ({"ssl_ca_certs": missing}, "ssl_ca_certs=.*No such file"),
        ({"ssl_ca_certs": nonsense}, "ssl_ca_certs=.*PEM"),
        ({"ssl_certfile": missing, "ssl_keyfile": key}, "ssl_certfile=.*No such file"),
        ({"ssl_certfile": cert, "ssl_keyfile": nonsense}, "ssl_certfile=.*PEM"),
        ({"ssl_certfile": cert, "ssl_keyfile": certificates.encrypted(key)}, "ssl_certfile=.*unencrypted"),
        ({"ssl_keyfile": key}, "ssl_certfile"),
        ({"ssl_cert_reqs": "maybe"}, "required or none"),
        ({"ssl_colour": "red"}, "ssl_colour"),
    ):
        with pytest.raises(ValueError, match=named):
            tls_context({name: str(value) for name, value in options.items()})


def test_tls_options_without_tls_are_a_mistake() -> None:
    """Who names a CA believes to be safe; and nothing of the URL but its place is repeated."""
    with pytest.raises(Refused, match="rediss") as refused:
        connect("redis://:secret@127.0.0.1:1/0?ssl_ca_certs=/ca.pem", name="test")

    assert "secret" not in refused.value.message


def test_checks_may_be_turned_off_by_name_only() -> None:
    """The server's certificate and its name are checked, unless the URL says otherwise in so many words."""
    checked, by_ca_alone, unchecked = [
        tls_context(options) for options in ({}, {"ssl_check_hostname": "False"}, {"ssl_cert_reqs": "none"})
    ]

    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (by_ca_alone.verify_mode, by_ca_alone.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
