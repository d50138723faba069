"""What an operator can set; all of it, and all mistakes at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.config import ConfigError, Option, read_config

from .keys import ApiKey, is_loopback
from .logs import LogLevel


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP side of a pool: takes requests, puts jobs on the queue, streams their events back."""

    redis_url: Annotated[
        str, Option("the pool's Redis or Valkey; a password is better put into the environment", flag="--redis")
    ] = "redis://127.0.0.1:6379/0"
    host: Annotated[str, Option("the address to serve on; off loopback an API key is required")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535), Option("the port; 0 takes a free one and logs it")] = 8081
    api_key_file: Annotated[str | None, Option("a file with the API key that clients must give")] = None
    api_key: Annotated[str | None, Option("the key itself; better by file or environment", is_secret=True)] = None
    default_model: Annotated[str | None, Option("the model of requests that name none, where several are served")] = (
        None
    )
    drain_s: Annotated[int, Meta(ge=0, le=3_600), Option("how long streams may go on after the first signal")] = 30
    log_level: Annotated[LogLevel, Option("debug, info, warning or error")] = "info"


def read_settings(argv: Sequence[str], env: Mapping[str, str]) -> tuple[Settings, ApiKey | None]:
    """Read the configuration, and the key that it names.

    Raises:
        ConfigError: one line for each mistake.
        HelpWanted: help was asked for.

    """
    settings = read_config(Settings, argv, env, prog="python -m gateway")
    key = _read_key(settings)
    if key is None and not is_loopback(settings.host):
        raise ConfigError(f"--host {settings.host} can be reached by others: an API key is needed, --api-key-file FILE")
    return settings, None if key is None else ApiKey(key)


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
