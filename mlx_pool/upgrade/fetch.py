"""The new version, made ready beside the old one while that serves: a copy of the environment, and in it the new."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from mlx_pool.failure import Failed
from mlx_pool.terminal import clean

from .installation import NAME
from .order import Order
from .trees import Beside, copy, give_to_owner_of, settle_scripts
from .versions import changes, frozen, versions_in
from .wanted import install_argv

# The versions that were there before, as requirements: what a person goes back to by hand.
WAS: Final = "mlx-pool-upgraded-from.txt"
_LAST_LINES: Final = 6


class Fetched(msgspec.Struct, frozen=True):
    """What lies ready; no `changes`: it is what runs already."""

    version: str
    changes: tuple[str, ...]


def fetch(order: Order, beside: Beside) -> Fetched:
    """Make it ready, and try whether it starts at all. Nothing that runs is touched.

    Raises:
        Failed: it can't be had, or does not work here; the installer's own words say why.

    """
    copy(beside.prefix, beside.next)
    was = versions_in(beside.prefix)
    _run(
        install_argv(beside.next / "bin/python", order.wanted, order.installed.uv), f"{order.wanted} can't be installed"
    )
    is_ = versions_in(beside.next)
    told = tuple(changes(was, is_))
    if told:
        for argv in _trials(order, beside.next / "bin/python"):
            _run(argv, f"{NAME} {is_.get(NAME, '')} does not start here")
    settle_scripts(beside)
    _write(beside.next / WAS, frozen(was))
    give_to_owner_of(beside.prefix, beside.next)
    return Fetched(is_.get(NAME, ""), told)


def _trials(order: Order, python: Path) -> Iterator[tuple[str, ...]]:
    """Give the commands that have to work before anything is stopped for them."""
    yield (str(python), "-P", "-m", "mlx_pool", "--version")
    parts = {turn.part for turn in order.turns}
    if parts & {"worker", "up"}:
        yield (str(python), "-P", "-m", "worker", "--help")
    if parts & {"gateway", "up"}:
        yield (str(python), "-P", "-m", "gateway", "--help")


def _run(argv: tuple[str, ...], otherwise: str) -> None:
    done = subprocess.run(  # noqa: S603 -- an installer, or our own interpreter, with our own words
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise Failed(f"{otherwise}: {clean(' '.join(' '.join(said[-_LAST_LINES:]).split()))}")


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # never into the file: it may have another name
    path.write_text(text, "utf-8")
