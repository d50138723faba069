"""A server known by its certificate alone: who is not that one hears nothing, whoever asks and however."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import uvloop

from shared.channel import Listener
from shared.connection import check_broker, connect
from shared.errors import Fault, PoolError
from shared.pin import WrongCertificate, pin_of, pinned_context
from shared.tls import is_wrong_certificate, tls_context
from tests.certificates import Certificates
from tests.conftest import Eventually

SECRET = "open-sesame"
WRONG = "0" * 64


class Ear:
    """A server with a certificate that answers nothing, and keeps what it hears."""

    def __init__(self, cert: Path, key: Path, newest: ssl.TLSVersion) -> None:
        self.pin = pin_of(ssl.PEM_cert_to_DER_cert(cert.read_text()))
        self.heard = b""
        self.port = 0
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.maximum_version = newest
        self._context.load_cert_chain(cert, key)
        self._hearing: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._hear, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._hearing:
                task.cancel()
            await asyncio.gather(*self._hearing, return_exceptions=True)

    def url(self, pin: str, scheme: str = "rediss", path: str = "0") -> str:
        """Its address, by the name of a host that stands in no certificate."""
        return f"{scheme}://:{SECRET}@127.0.0.1:{self.port}/{path}?ssl_pin={pin}"

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._hearing.add(task)
        with contextlib.suppress(OSError):
            self.heard += await reader.read(1_000)
        writer.close()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def ear(certificates: Certificates, request: pytest.FixtureRequest) -> Ear:
    """One that speaks no newer TLS than that."""
    return Ear(*certificates.issue("pool"), request.param)


async def said(url: str) -> PoolError:
    """What a part of the pool says of an address."""
    async with contextlib.aclosing(connect(url, name="test")) as client:
        with pytest.raises(PoolError) as caught:
            await check_broker(client)
    return caught.value


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_shows_another_certificate_is_not_even_told_the_password(
    ear: Ear, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Nothing is sent to it: the same server hears the password where the pin is its own."""

    async def story() -> None:
        async with ear.open():
            refused = await said(ear.url(WRONG))
            before = ear.heard
            await said(ear.url(ear.pin))

            assert "another certificate" in refused.message
            assert (before, SECRET.encode() in ear.heard) == (b"", True)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())


async def test_neither_sentinels_nor_channels_are_asked_past_the_pin(ear: Ear, eventually: Eventually) -> None:
    """All connections of an address are made in one way."""
    async with ear.open():
        asked = await said(ear.url(WRONG, "rediss+sentinel", "pool"))
        listener = Listener(ear.url(WRONG), name="test")
        listening = asyncio.create_task(listener.run())
        await said(ear.url(WRONG))
        listening.cancel()
        await asyncio.wait([listening])

        assert "another certificate" in asked.message
        assert ear.heard == b""
        await said(ear.url(ear.pin, "rediss+sentinel", "pool"))
        await eventually(lambda: ear.heard)


async def test_a_wrong_server_is_told_apart_from_one_that_is_away(ear: Ear) -> None:
    """A command ends for good, where it would come again; a process that stays tries on."""
    async with ear.open(), contextlib.aclosing(connect(ear.url(WRONG), name="test")) as client:
        with pytest.raises(Fault) as wrong:
            await client.command("PING")
    async with contextlib.aclosing(connect(ear.url(WRONG), name="test")) as client:
        with pytest.raises(Fault) as away:
            await client.command("PING")

    assert "another certificate" in wrong.value.message
    assert [is_wrong_certificate(each.value) for each in (wrong, away)] == [True, False]


async def test_a_socket_without_a_loop_is_held_to_it_too(ear: Ear) -> None:
    """The check is the context's, whoever uses that."""

    def shake_hands(pin: str) -> None:
        with pinned_context(pin).wrap_socket(socket.create_connection(("127.0.0.1", ear.port))) as connection:
            assert connection.version()

    async with ear.open():
        await asyncio.to_thread(shake_hands, ear.pin)
        with pytest.raises(WrongCertificate):
            await asyncio.to_thread(shake_hands, WRONG)


def test_a_pin_is_written_as_openssl_writes_it_or_plainly() -> None:
    """Colons and capitals are the same pin; anything shorter is none, and nothing else is trusted beside one."""
    context = tls_context({"ssl_pin": ":".join(["AB"] * 32)})

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for options, told in (
        ({"ssl_pin": "ab" * 31}, "64 hex digits"),
        ({"ssl_pin": ""}, "64 hex digits"),
        ({"ssl_pin": "ab" * 32, "ssl_cert_reqs": "none"}, "ssl_cert_reqs beside ssl_pin"),
    ):
        with pytest.raises(ValueError, match=told):
            tls_context(options)
