"""The command `mlx-pool doctor`: check everything that can be checked from here, and say what to do about it."""

import asyncio
import importlib.metadata
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from mlx_pool.arguments import JsonFlag, KeyFileFlag, RedisFlag, UrlFlag, call
from mlx_pool.chat_client import connection_to
from mlx_pool.data_folder import data_folder
from mlx_pool.terminal import Colour, Ink, ink_for
from mlx_pool.up.state import read_state
from mlx_pool.where import gateway, known_redis_url

from .examination import Place, examine
from .finding import Finding, Level

_COLOURS: Final[dict[Level, Colour]] = {"ok": "green", "warn": "yellow", "bad": "red"}
_ABOUT_WIDTH: Final = 13


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(doctor, argv, name="doctor")


def doctor(
    *,
    redis: RedisFlag = None,
    url: UrlFlag = None,
    key_file: KeyFileFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Check Redis, gateway, queues, workers and this machine, and say what to do about what is wrong.

    Nothing is changed. Exit code 1 when anything is bad; warnings alone are 0.
    """
    place = _place(redis, url, key_file, os.environ)
    with Console(stderr=True).status("looking at Redis, doors, workers and this machine"):
        findings = asyncio.run(examine(place, os.environ))
    if as_json:
        sys.stdout.write(msgspec.json.encode({"findings": findings, **_counts(findings)}).decode() + "\n")
    else:
        sys.stdout.write(as_lines(findings, ink_for(sys.stdout)))
    return 1 if _counts(findings)["bad"] else 0


def _place(redis: str | None, url: str | None, key_file: Path | None, env: Mapping[str, str]) -> Place:
    folder = data_folder(None, env)
    is_known = url is not None or read_state(folder.state) is not None
    if url is not None:
        connection_to(url)  # opens nothing; one that is no address ends it here
    return Place(
        redis_url=redis or known_redis_url(env),
        gateway=gateway(url, key_file, env) if is_known else None,
        folder=folder,
        version=importlib.metadata.version("mlx-pool"),
    )


def as_lines(findings: Sequence[Finding], ink: Ink) -> str:
    """Draw them for a person: a line each, what to do below it, and the sum."""
    lines: list[str] = []
    for finding in findings:
        level = ink.paint(f"{finding.level:<4}", _COLOURS[finding.level])
        lines.append(f"{level}  {finding.about:<{_ABOUT_WIDTH}} {finding.told}")
        if finding.advice:
            lines.append(f"{'':{_ABOUT_WIDTH + 6}} {ink.paint('→ ' + finding.advice, 'dim')}")
    counts = _counts(findings)
    if counts["bad"] or counts["warn"]:
        lines += ["", f"{counts['bad']} bad, {counts['warn']} to look at, {counts['ok']} in order"]
    else:
        lines += ["", f"all {counts['ok']} in order"]
    return "\n".join(lines) + "\n"


def _counts(findings: Sequence[Finding]) -> dict[Level, int]:
    counted = Counter(finding.level for finding in findings)
    return {level: counted[level] for level in _COLOURS}
