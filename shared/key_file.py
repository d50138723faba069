"""The file of API keys: what `mlx-pool keys` writes and gateways read. It holds digests, never a key.

JSON, so that a person can change a limit by hand; read whole or refused whole, so that a slip opens nothing.
"""

import hashlib
import secrets
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

KEY_PREFIX = "mlxp_"  # so that a key is recognised wherever it lies about, by people and by scanners
_KEY_BYTES = 32
# In log lines, tables and names of Redis keys: nothing in it may mean anything there.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a key may use, at all gateways together; None: as much as there is."""

    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None  # that ask for work
    tokens_per_minute: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None  # of prompts and answers
    concurrent_jobs: Annotated[int, Meta(ge=1, le=10_000)] | None = None  # waiting and running


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One key: who uses it, and what for. `id` is its name in logs, and no secret."""

    id: Name
    tenant: Name  # whoever shares it sees each other's jobs, and the prompt cache's states
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    created: Annotated[datetime, Meta(tz=True)]
    limits: KeyLimits = KeyLimits()
    models: Annotated[tuple[ModelName, ...], Meta(min_length=1)] | None = None  # None: all
    may_hi: bool = False  # whether its jobs may have the class `hi`
    may_operate: bool = False  # whether it is an operator's: sees every job's life, decides on dead letters


class _Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[KeyEntry, ...]
    version: Literal[1] = 1


class KeyFileError(Exception):
    """The file can't be used; one line that says why, without what stands in it."""


def new_key() -> str:
    """A key that can't be guessed: 256 random bits behind a prefix."""
    return KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def digest_of(key: bytes) -> bytes:
    """The digest by which a key is known. One round of SHA-256 is enough, since nobody can guess 256 random bits."""
    return hashlib.sha256(key).digest()


def read_keys(path: Path) -> tuple[KeyEntry, ...]:
    """Read the file.

    Raises:
        KeyFileError: it is not there, others may write to it, or it is not such a file.

    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise KeyFileError(f"{path}: others may write to it (mode {mode:o}), and so could let anybody in: chmod 600")
    try:
        return parse_keys(data)
    except KeyFileError as error:
        raise KeyFileError(f"{path}: {error}") from error


def parse_keys(data: bytes) -> tuple[KeyEntry, ...]:
    """Read the file's text.

    Raises:
        KeyFileError: it is no such text, or two keys have one id or one digest.

    """
    try:
        keys = msgspec.json.decode(data, type=_Contents).keys
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{str(error)[0].lower()}{str(error)[1:]}") from error
    for name in ("id", "sha256"):
        seen: set[str] = set()
        for number, key in enumerate(keys):
            if (value := getattr(key, name)) in seen:
                raise KeyFileError(f"`$.keys[{number}].{name}` stands there twice")
            seen.add(value)
    return keys


def encode_keys(keys: Sequence[KeyEntry]) -> bytes:
    """Write the file's text, laid out for a person."""
    return msgspec.json.format(msgspec.json.encode(_Contents(tuple(keys))), indent=2) + b"\n"
