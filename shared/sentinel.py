"""A Redis that Sentinels watch: each new connection asks them who is primary now, and checks that it is.

`redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT,…/SERVICE/DB`; `rediss+sentinel://` for TLS to all of them. After a
fail-over the old connections are broken, by the death of their server or by its demotion, and the next ones lead to the
new primary. What replicas had not yet been told is lost: docs/operations.md says what that means for jobs.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

from redis.asyncio import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

ASK_WITHIN_S = 0.4  # a Sentinel that does not answer by then is passed over
_PORT = 26_379
_PLACE = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+))?")
_OWN = ("sentinel_username", "sentinel_password")


class Sentinels(NamedTuple):
    """Who is asked, by which name they know the Redis, and how one introduces oneself to them."""

    places: tuple[tuple[str, int], ...]
    service: str
    username: str | None = None
    password: str | None = None


def is_sentinel(url: str) -> bool:
    """Whether a URL leads to Sentinels."""
    return urlsplit(url).scheme in {"redis+sentinel", "rediss+sentinel"}


def take_apart(url: str) -> tuple[str, Sentinels]:
    """The Sentinels of a URL, and the same URL for a Redis whose place is not known yet.

    Raises:
        ValueError: it names no place, or no service.

    """
    parts = urlsplit(url)
    credentials, at, named = parts.netloc.rpartition("@")
    places = tuple(map(_place, named.split(",")))
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the service's name is missing: redis+sentinel://HOST:PORT,HOST:PORT/SERVICE")
    query = parse_qs(parts.query)
    own = [query.pop(name, [None])[0] for name in _OWN]
    sentinels = Sentinels(places, unquote(service), *own)
    scheme = parts.scheme.removesuffix("+sentinel")
    plain = urlunsplit((scheme, f"{credentials}{at}primary", f"/{db or 0}", urlencode(query, doseq=True), ""))
    return plain, sentinels


def _place(text: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(text)
    if found is None:
        # Without what stands there: it may be a part of the password.
        raise ValueError("a place in it is no HOST:PORT; in a password / ? # are written as %2F %3F %23")
    return found["host"].strip("[]"), int(found["port"] or _PORT)


class _OptionallyTls(Connection):
    """A connection over this context, if there is one."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, **how: Any) -> None:
        super().__init__(**how)
        self._tls = tls

    def _connection_arguments(self) -> Mapping[str, Any]:
        told = {"ssl": self._tls} if self._tls else {}
        return {**super()._connection_arguments(), **told}


class FollowingConnection(_OptionallyTls):
    """A connection to whoever is primary when it is made."""

    def __init__(self, *, sentinels: Sentinels, tls: ssl.SSLContext | None = None, **how: Any) -> None:
        super().__init__(tls=tls, **how)
        self._sentinels = sentinels
        self._context = tls

    async def _connect(self) -> None:
        self.host, self.port = await primary_of(self._sentinels, self._context)
        await super()._connect()

    async def on_connect_check_health(self, check_health: bool = True) -> None:
        """Introduce oneself as ever, then see whether this is a primary: a Sentinel may not have heard yet."""
        await super().on_connect_check_health(check_health=check_health)
        await self.send_command("ROLE")
        role: list[Any] | None = await super().read_response(disable_decoding=True)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
        if not role or role[0] != b"master":
            raise RedisConnectionError(f"{self.host}:{self.port} is no primary any more")

    async def read_response(self, *args: Any, **how: Any) -> Any:
        """As ever; a server that may not be written to any more is left: it was relieved, or is cut off."""
        try:
            return await super().read_response(*args, **how)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
        except ResponseError as error:
            if not isinstance(error, ReadOnlyError) and not str(error).startswith("NOREPLICAS"):
                raise
            await self.disconnect()
            raise RedisConnectionError(f"{self.host}:{self.port} is no primary any more: {error}") from error


async def primary_of(sentinels: Sentinels, tls: ssl.SSLContext | None) -> tuple[str, int]:
    """Where the primary is, by the first Sentinel that says so.

    Raises:
        RedisConnectionError: none does.

    """
    said: list[str] = []
    last: Exception | None = None
    for host, port in sentinels.places:
        try:
            async with asyncio.timeout(ASK_WITHIN_S):
                found = await _ask(host, port, sentinels, tls)
        except (RedisError, OSError) as error:  # TimeoutError among them
            said.append(f"{host}:{port}: {error or 'no answer'}")
            last = error
            continue
        if found:
            return found[0].decode(), int(found[1])
        said.append(f"{host}:{port}: it knows no {sentinels.service}")
    raise RedisConnectionError(f"no Sentinel names a primary ({'; '.join(said)})") from last


async def _ask(host: str, port: int, sentinels: Sentinels, tls: ssl.SSLContext | None) -> list[bytes] | None:
    connection = _OptionallyTls(
        tls=tls,
        host=host,
        port=port,
        username=sentinels.username,
        password=sentinels.password,
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        await connection.connect()
        await connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.service)
        return await connection.read_response(disable_decoding=True)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
    finally:
        await connection.disconnect(nowait=True)
