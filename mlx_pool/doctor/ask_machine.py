"""Gathering what is known of this machine: from the system's own files and tools, each of which may be missing."""

import errno
import ipaddress
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mlx_pool.own_name import own_name
from mlx_pool.part import part_argv
from mlx_pool.up.address import is_loopback

from .machine import Machine, Model
from .redis_url import host_and_port

_WITHIN_S: Final = 3.0
_CATALOGUE_WITHIN_S: Final = 20.0
_SYSCTL: Final = "/usr/sbin/sysctl"  # not on every PATH
_MEMINFO: Final = Path("/proc/meminfo")
_FREE_PAGES: Final = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")


class _Row(msgspec.Struct, frozen=True):
    """What of a line of `models list` is needed here."""

    name: str
    memory_mb: int | None = None


def ask_machine(
    redis_url: str | None, models: Collection[str], env: Mapping[str, str] = os.environ, *, system: str = sys.platform
) -> Machine:
    """Look at this machine; `models` are those whose need of memory is of interest."""
    is_mac = system == "darwin"
    return Machine(
        platform=system,
        host=own_name(env),
        total_bytes=_total_bytes(is_mac=is_mac),
        free_bytes=free_in_vm_stat(_said("vm_stat")) if is_mac else free_in_meminfo(_read(_MEMINFO)),
        models=_needs(models),
        wired_limit_mb=_whole(_said(_SYSCTL, "-n", "iogpu.wired_limit_mb")) if is_mac else None,
        macos=platform.mac_ver()[0] if is_mac else "",
        power=_said("pmset", "-g") if is_mac else "",
        battery=_said("pmset", "-g", "batt") if is_mac else "",
        has_nvidia=shutil.which("nvidia-smi") is not None,
        is_host_unreachable=is_mac and redis_url is not None and _is_cut_off(redis_url),
    )


def free_in_meminfo(text: str) -> int | None:
    """Read what Linux can give without swapping."""
    found = (line.split() for line in text.splitlines() if line.startswith("MemAvailable:"))
    return next((int(words[1]) * 1_024 for words in found), None)


def free_in_vm_stat(text: str) -> int | None:
    """Read what macOS can give without swapping: free pages, and those that it would let go first."""
    head, *lines = text.splitlines() or [""]
    size = _whole(head.partition("page size of ")[2].partition(" ")[0])
    counts = {name: _whole(count.strip().rstrip(".")) for name, _, count in (line.partition(":") for line in lines)}
    pages = [count for name in _FREE_PAGES if (count := counts.get(name)) is not None]
    return sum(pages) * size if size and pages else None


def _total_bytes(*, is_mac: bool) -> int | None:
    if is_mac:
        return _whole(_said(_SYSCTL, "-n", "hw.memsize"))
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _needs(names: Collection[str]) -> tuple[Model, ...]:
    """What the catalogue knows of these models; it runs as a process of its own, as it may import much."""
    if not names:
        return ()
    printed = _run(part_argv("worker.catalog", ["list", "--json"]), _CATALOGUE_WITHIN_S)
    try:
        rows = msgspec.json.decode(printed, type=list[_Row])
    except msgspec.DecodeError:
        return ()
    return tuple(Model(row.name, row.memory_mb * 1_000_000) for row in rows if row.memory_mb and row.name in names)


def _is_cut_off(redis_url: str) -> bool:
    """Whether there is no way to a host of this very network, which is how macOS denies it to a program."""
    found = host_and_port(redis_url)
    if found is None or is_loopback(found[0]):
        return False
    host, port = found
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
        if not ipaddress.ip_address(str(address).partition("%")[0]).is_private:
            return False
        socket.create_connection((host, port), timeout=_WITHIN_S).close()
    except OSError as error:
        return error.errno == errno.EHOSTUNREACH
    return False


def _said(*command: str) -> str:
    return _run(command, _WITHIN_S)


def _run(command: Sequence[str], within_s: float) -> str:
    """What a command prints; nothing where there is none, or it fails or takes too long."""
    try:
        ended = subprocess.run(  # noqa: S603 -- our own fixed commands
            command, capture_output=True, text=True, check=False, timeout=within_s, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() else None
