"""Connections to Redis, and the wall at which its errors become ours.

No retries inside redis-py: a command that is sent twice is a job that runs twice. Whoever may repeat a call does it
knowingly, through a script that makes the repetition harmless.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.connection import AbstractConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, NoScriptError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from .errors import Fault, Refused
from .pin import WrongCertificate
from .sentinel import FollowingConnection, is_sentinel, take_apart
from .tls import tls_context, tls_failure

CALL_TIMEOUT_MS = 2_000
MIN_REDIS = (7, 0)
MIN_VALKEY = (7, 2)

Arg = str | bytes | int | float
OnRefusal = Callable[[str], None]
# What a connection of redis-py raises; for the two modules that read from one directly. RuntimeError is uvloop's word
# for a write to a connection that broke a moment ago.
CONNECTION_ERRORS = (RedisError, OSError, TimeoutError, RuntimeError)


# What a URL may say behind its `?`, beside what is TLS's; of the library's others some break what is promised here.
_OPTIONS = frozenset(
    (
        "db",
        "username",
        "password",
        "max_connections",
        "health_check_interval",
        "socket_connect_timeout",
        "socket_keepalive",
    )
)
# How redis-py words a connection that can't be made; a name that is not known has a number below zero.
_NO_WAY_IN = re.compile(r"Error (-?\d+) connecting to (\S+?)\. (.+)", re.DOTALL)
_OWN_FILES = "rediss://…?ssl_certfile=FILE&ssl_keyfile=FILE"


class NoScript(Exception):
    """The server does not know this script."""


class Broker:
    """Connections to one Redis or Valkey, as few typed calls; nothing outside of it sees a redis exception."""

    def __init__(
        self, redis: Redis, *, timeout_s: float | None, is_nameless: bool = False, on_refusal: OnRefusal | None = None
    ) -> None:
        self._redis = redis
        self._timeout_s = timeout_s
        self._on_refusal = on_refusal
        self.is_nameless = is_nameless  # it speaks TLS without showing a certificate of its own

    async def command(self, *words: Arg) -> Any:
        """Send one command and return its reply, in redis-py's shape.

        Raises:
            Fault: broker_down, since Redis does not answer, or answers that it can't now. Whether it did what was
                asked is unknown.
            NoScript: to EVALSHA.

        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._redis.execute_command(*words)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
        except NoScriptError as error:
            raise NoScript from error
        except CONNECTION_ERRORS as error:
            raise self._translated(error) from error

    async def commands(self, rows: Sequence[Sequence[Arg]]) -> list[Any]:
        """Send commands in one round trip and return their replies.

        Raises:
            Fault: as `command`, for the first that failed.

        """
        pipeline = self._redis.pipeline(transaction=False)
        for row in rows:
            pipeline.execute_command(*row)  # pyright: ignore[reportUnusedCoroutine] redis-py's stubs
        try:
            async with asyncio.timeout(self._timeout_s):
                return await pipeline.execute()
        except NoScriptError as error:
            raise NoScript from error
        except CONNECTION_ERRORS as error:
            raise self._translated(error) from error

    def new_connection(self) -> AbstractConnection:
        """A connection of one's own, not yet open, for who listens."""
        return self._redis.connection_pool.make_connection()  # pyright: ignore[reportUnknownVariableType] redis-py's stubs

    async def aclose(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    def _translated(self, error: Exception) -> Fault:
        is_refusal = isinstance(error, ResponseError)
        if is_refusal and self._on_refusal:
            self._on_refusal(_said(error))
        if isinstance(failure := tls_failure(error), WrongCertificate):
            return Fault("broker_down", str(failure))
        if _is_auth(error):
            return Fault("broker_down", f"Redis refuses the password: {_said(error)}.")
        return Fault("broker_down", f"Redis {'refuses' if is_refusal else 'does not answer'}: {_said(error)}.")


def connect(
    url: str,
    *,
    name: str,
    timeout_ms: int | None = CALL_TIMEOUT_MS,
    connections: int = 64,
    on_refusal: OnRefusal | None = None,
) -> Broker:
    """A broker whose calls end within `timeout_ms`; None for one that blocks on purpose. Opens nothing yet.

    `on_refusal` hears the answers by which Redis refuses what it was asked: for those who try again for ever.

    Raises:
        Refused: the URL is none, or names a file for TLS that can't be used.

    """
    settings: dict[str, Any] = {
        "timeout": CALL_TIMEOUT_MS / 1_000,
        "client_name": name,
        # Not redis-py's timeout: it sends through asyncio.wait_for, which before Python 3.12 swallows a cancellation
        # that comes as the bytes are sent, and the task that was to end runs on for ever.
        "socket_timeout": None,
        "socket_connect_timeout": CALL_TIMEOUT_MS / 1_000,
        "socket_keepalive": True,
        "health_check_interval": 0,
        "max_connections": connections,
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "protocol": 2,
    }
    try:
        settings |= _place(url)
    except ValueError as error:
        raise Refused("invalid_value", f"{_without_password(url)} is no Redis URL: {error}", param="redis") from error
    # More calls than connections wait for one: a gateway's thousandth client at once is no fault of Redis.
    pool = BlockingConnectionPool(**settings)
    is_nameless = url.startswith("rediss") and "ssl_certfile=" not in url
    timeout_s = None if timeout_ms is None else timeout_ms / 1_000
    return Broker(Redis.from_pool(pool), timeout_s=timeout_s, is_nameless=is_nameless, on_refusal=on_refusal)


def _place(url: str) -> dict[str, Any]:
    """Where a URL leads, and the options in it, as the library wants to be told."""
    if is_sentinel(url):
        plain, sentinels = take_apart(url)
        return {**_place(plain), "connection_class": FollowingConnection, "sentinels": sentinels}
    _check_readable(url)
    told: dict[str, Any] = {**parse_url(url)}
    options = {name: str(told.pop(name)) for name in list(told) if name.startswith("ssl_")}
    if url.startswith("rediss:"):
        return told | {"connection_class": _TlsConnection, "tls": tls_context(options)}
    if options:
        raise ValueError(f"{next(iter(options))} needs TLS, rediss://")
    return told


def _check_readable(url: str) -> None:
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        # Not the error's own words: they may hold a part of the password, which is what could not be read.
        raise ValueError("its port can't be read; in a password / ? # are written as %2F %3F %23") from None
    if parts.scheme == "unix":
        raise ValueError("redis://HOST:PORT is wanted, or rediss:// for TLS")
    unknown = [name for name in parse_qs(parts.query) if name not in _OPTIONS and not name.startswith("ssl_")]
    if unknown:
        raise ValueError(f"{unknown[0]} is no option of it; there are {', '.join(sorted(_OPTIONS))}, and those of TLS")


class _TlsConnection(Connection):
    """As the library's own, but all of a broker's connections share one context: making one takes long."""

    def __init__(self, *, tls: ssl.SSLContext, **how: Any) -> None:
        super().__init__(**how)
        self._tls = tls

    def _connection_arguments(self) -> Mapping[str, Any]:
        return {**super()._connection_arguments(), "ssl": self._tls}


async def check_broker(broker: Broker) -> list[str]:
    """Check that this server can carry a pool; returns what is not as it should be but does not prevent that.

    Raises:
        Refused: wrong password or certificate, too old a server, or one that evicts keys. Retrying will not help.
        Fault: it does not answer (yet).

    """
    try:
        info: dict[str, Any] = await broker.command("INFO")
    except Fault as fault:
        if isinstance(fault.__cause__, NoPermissionError):
            said = f"Redis denies this user what it needs: {_said(fault.__cause__)}. `mlx-pool acl` writes its rules."
            raise Refused("invalid_value", said, param="redis") from fault
        if _is_auth(fault.__cause__):
            said = f"Redis refuses the password: {_said(fault.__cause__)}. Put the right one into the URL, redis://:PASSWORD@HOST:PORT."
            raise Refused("invalid_value", said, param="redis") from fault
        if failure := tls_failure(fault):
            raise Refused("invalid_value", _tls_advice(failure), param="redis") from fault
        if broker.is_nameless and _was_hung_up(fault.__cause__):
            # What a server that asks for a certificate does; but so does one that is just stopping.
            raise Fault("broker_down", f"{fault.message} If it asks for certificates: {_OWN_FILES}.") from fault
        raise
    _check_version(info)
    return _check_settings(info)


def _check_version(info: dict[str, Any]) -> None:
    is_valkey = "valkey_version" in info
    version = str(info["valkey_version" if is_valkey else "redis_version"])
    least = MIN_VALKEY if is_valkey else MIN_REDIS
    if tuple(int(part) for part in version.split(".")[:2]) < least:
        kind = "Valkey" if is_valkey else "Redis"
        raise Refused(
            "unsupported", f"{kind} {version} is too old: {least[0]}.{least[1]} or newer is needed.", param="redis"
        )


def _check_settings(info: dict[str, Any]) -> list[str]:
    # By INFO and not by CONFIG, which shows passwords too: a role needs no right to it, and a managed Redis denies it.
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise Refused(
            "unsupported",
            f"Redis would evict jobs when it is full (maxmemory-policy {policy}): set it to noeviction.",
            param="redis",
        )
    if not int(info.get("aof_enabled", 1)):
        return ["appendonly is off: jobs do not survive a restart of Redis"]
    return []


def is_wrong_password(error: BaseException) -> bool:
    """Whether behind an error of ours stands a Redis that does not know this user or password."""
    return _is_auth(error.__cause__)


def _is_auth(error: BaseException | None) -> bool:
    if isinstance(error, AuthenticationError):
        return True
    return isinstance(error, RedisError) and any(sign in str(error) for sign in ("NOAUTH", "WRONGPASS"))


def _tls_advice(failure: ssl.SSLError) -> str:
    if isinstance(failure, WrongCertificate):
        return str(failure)
    if isinstance(failure, ssl.SSLCertVerificationError):
        why = failure.verify_message.rstrip(".")
        return f"Redis's certificate is not trusted: {why}. Name its CA in the URL, rediss://…?ssl_ca_certs=FILE."
    if "CERTIFICATE_REQUIRED" in (reason := failure.reason or "no reason given"):
        return f"Redis asks for a certificate: name one in the URL, {_OWN_FILES}."
    return f"Redis and this process do not agree on TLS ({reason}): does it speak TLS on this port?"


def _was_hung_up(error: BaseException | None) -> bool:
    return isinstance(error, RedisConnectionError) and ("closed" in str(error) or "reading" in str(error))


def _said(error: BaseException | None) -> str:
    said = str(error).rstrip(".") or type(error).__name__
    if (found := _NO_WAY_IN.match(said)) is None:
        return said
    number, place, why = found.groups()
    return f"{os.strerror(int(number)) if int(number) > 0 else why} ({place})"


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
