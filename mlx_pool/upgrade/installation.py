"""How mlx-pool was installed on this machine, and whether that can be replaced."""

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from mlx_pool.failure import Unusable

from .extras import extras_in_use

Kind = Literal["uv tool", "pipx", "environment"]
NAME = "mlx-pool"


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that can be replaced: where it is, who made it, what of mlx-pool is in it.

    `uv` is the program that installs into it; None where the environment has pip.
    """

    prefix: Path
    kind: Kind
    version: str
    extras: tuple[str, ...]
    uv: str | None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the environment that this command runs in. `origin` is the text of its direct_url.json."""

    prefix: Path
    is_environment: bool
    origin: str
    has_pip: bool
    uv: str | None
    is_writable: bool


def installation_here(env: Mapping[str, str]) -> Installation:
    """Find it.

    Raises:
        Unusable: it is a checkout, or belongs to the system; the words say what to do instead.

    """
    found = importlib.metadata.distribution(NAME)
    prefix = Path(sys.prefix)
    facts = Facts(
        prefix=prefix,
        is_environment=sys.prefix != sys.base_prefix,
        origin=found.read_text("direct_url.json") or "",
        has_pip=importlib.util.find_spec("pip") is not None,
        uv=_uv(env),
        # It is replaced by one that lies beside it.
        is_writable=os.access(prefix.parent, os.W_OK),
    )
    check(facts)
    return Installation(
        prefix=prefix,
        kind=kind_of(prefix),
        version=found.version,
        extras=extras_in_use(NAME, _requires, sys.platform),
        uv=None if facts.has_pip else facts.uv,
    )


def check(facts: Facts) -> None:
    """Raise `Unusable` where this command must leave the environment alone."""
    if (checkout := _checkout(facts.origin)) is not None:
        raise Unusable(
            f"mlx-pool runs from a checkout here, {checkout}: update that (`git pull`, `uv sync`), and restart what "
            "runs from it, worker by worker: `mlx-pool drain WORKER`."
        )
    if not facts.is_environment:
        raise Unusable(
            "mlx-pool is installed in the system's own Python, which others need as it is: install it by `uv tool "
            "install 'mlx-pool[worker]'`, or in an environment of its own, and let that run. In a container: take a "
            "newer image."
        )
    if not facts.is_writable:
        raise Unusable(f"{facts.prefix.parent} can't be written by this user: call it as who installed mlx-pool there.")
    if not facts.has_pip and facts.uv is None:
        raise Unusable(f"Neither pip, in {facts.prefix}, nor uv is here: install uv.")


def kind_of(prefix: Path) -> Kind:
    """Tell who made the environment, by what it has left there."""
    if (prefix / "uv-receipt.toml").is_file():
        return "uv tool"
    return "pipx" if (prefix / "pipx_metadata.json").is_file() else "environment"


def _checkout(origin: str) -> str | None:
    try:
        told: dict[str, Any] = msgspec.json.decode(origin or "{}", type=dict[str, Any])
        is_editable = bool(told.get("dir_info", {}).get("editable"))
    except (msgspec.DecodeError, AttributeError):
        return None
    return str(told.get("url", "")).removeprefix("file://") if is_editable else None


def _uv(env: Mapping[str, str]) -> str | None:
    """Find uv, also where a shell without a login looks for nothing."""
    usual = Path(env.get("HOME") or Path.home()) / ".local/bin/uv"
    return env.get("UV") or shutil.which("uv") or (str(usual) if os.access(usual, os.X_OK) else None)


def _requires(name: str) -> list[str] | None:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return None
