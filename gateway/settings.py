"""What an operator can set; all of it, and all mistakes at once."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.config import ConfigError, Option, read_config
from shared.key_file import KeyFileError

from .access.cors import ANY, is_origin
from .access.host import is_host_pattern, is_loopback
from .access.keys_file import KeysFile
from .access.lock import Lock
from .aliases import PATTERN, Aliases, read_aliases
from .logs import LogLevel


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP side of a pool: takes requests, puts jobs on the queue, streams their events back."""

    redis_url: Annotated[
        str, Option("the pool's Redis or Valkey; a password is better put into the environment", flag="--redis")
    ] = "redis://127.0.0.1:6379/0"
    host: Annotated[str, Option("the address to serve on; off loopback an API key is required")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535), Option("the port; 0 takes a free one and logs it")] = 8081
    api_keys_file: Annotated[str | None, Option("a file of API keys, as `mlx-pool keys` writes it")] = None
    api_key_file: Annotated[str | None, Option("a file with one API key that all clients share")] = None
    api_key: Annotated[str | None, Option("that key itself; better by file or environment", is_secret=True)] = None
    tls_cert: Annotated[str | None, Option("a file with the certificate (PEM, its chain behind it) for TLS")] = None
    tls_key: Annotated[str | None, Option("a file with the certificate's key (PEM)")] = None
    allowed_hosts: Annotated[
        tuple[str, ...],
        Option("a name that clients may call this gateway by, as *.example.org; repeatable", flag="--allowed-host"),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        Option("an origin whose web pages may call it, as https://example.org; repeatable", flag="--cors-origin"),
    ] = ()
    max_connections: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Option("connections at once; by default 10,000, if files suffice"),
    ] = None
    default_model: Annotated[str | None, Option("the model of requests that name none, where several are served")] = (
        None
    )
    model_alias: Annotated[
        str, Meta(pattern=PATTERN), Option("other names for models: NAME=MODEL,… ; * for every unknown name")
    ] = ""
    drain_s: Annotated[int, Meta(ge=0, le=3_600), Option("how long streams may go on after the first signal")] = 30
    otlp_endpoint: Annotated[
        str, Option("a collector's URL, to send traces to by OTLP over HTTP", env="OTEL_EXPORTER_OTLP_ENDPOINT")
    ] = ""
    log_level: Annotated[LogLevel, Option("debug, info, warning or error")] = "info"

    @property
    def aliases(self) -> Aliases:
        """Which model a name means that is not served."""
        return read_aliases(self.model_alias)


def read_settings(argv: Sequence[str], env: Mapping[str, str]) -> tuple[Settings, Lock | None]:
    """Read the configuration, and the keys that it names; None: nobody is asked for one.

    Raises:
        ConfigError: one line for each mistake.
        HelpWanted: help was asked for.

    """
    settings = read_config(Settings, argv, env, prog="mlx-pool gateway")
    key, keys = _read_key(settings), _read_keys(settings)
    lock = Lock(key, keys) if key or keys else None
    if mistakes := list(_mistakes(settings, has_lock=lock is not None)):
        raise ConfigError("\n".join(mistakes))
    return settings, lock


def _mistakes(settings: Settings, *, has_lock: bool) -> Iterator[str]:
    if not has_lock and not is_loopback(settings.host):
        yield f"--host {settings.host} can be reached by others: API keys are needed, --api-keys-file FILE"
    for host in settings.allowed_hosts:
        if not is_host_pattern(host):
            yield f"--allowed-host {host}: expected a name without a port, as pool.example.org or *.example.org"
    for origin in settings.cors_origins:
        if not is_origin(origin):
            yield f"--cors-origin {origin}: expected SCHEME://HOST[:PORT], as https://example.org"
    if ANY in settings.cors_origins and not has_lock:
        yield "--cors-origin *: any web page could use this pool; API keys are needed, --api-keys-file FILE"


def _read_keys(settings: Settings) -> KeysFile | None:
    if settings.api_keys_file is None:
        return None
    try:
        return KeysFile(Path(settings.api_keys_file))
    except KeyFileError as error:
        raise ConfigError(f"--api-keys-file {error}") from error


def _read_key(settings: Settings) -> str | None:
    if settings.api_key_file is None:
        return settings.api_key
    try:
        key = Path(settings.api_key_file).read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"--api-key-file {settings.api_key_file}: {error.strerror}") from error
    if not key:
        raise ConfigError(f"--api-key-file {settings.api_key_file}: the file is empty")
    return key
