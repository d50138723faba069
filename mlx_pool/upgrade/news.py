"""What an upgrade tells while it works: a line each for a person, or a JSON object a line for whoever called it."""

import contextlib
import os
import sys
import time
from typing import Final, Literal, Protocol

import msgspec

from mlx_pool.terminal import clean
from mlx_pool.up.notice import Notice
from mlx_pool.up.screen import Screen

Step = Literal[
    "plan",  # what is going to be done, and what is worth to know before
    "note",
    "fetch",  # the new version comes beside the old one
    "drain",  # a part finishes or hands over what it runs, and ends
    "swap",  # the new environment is in the old one's place
    "wait",  # it was started, and is not well yet
    "well",
    "ill",
    "back",  # the old environment is in its place again
    "done",  # the machine runs the wanted version
    "undone",  # it runs the old one again
    "failed",
]
_MOVING: Final[frozenset[Step]] = frozenset(("fetch", "drain", "wait"))


class News(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. `part` is whose turn it is; `log` the end of what it has logged."""

    step: Step
    told: str
    machine: str = ""
    part: str = ""
    seconds: float = 0.0  # since the upgrade of this machine began
    log: tuple[str, ...] = ()


class Teller(Protocol):
    """Who is told."""

    def tell(self, news: News) -> None:
        """Pass it on."""
        ...


class OnScreen:
    """For a person: what goes on moves in its place, what has happened stays."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def tell(self, news: News) -> None:
        """Show it."""
        about = " · ".join(clean(part) for part in (news.machine, news.part) if part)
        if news.step in _MOVING:
            self._screen.show(about or "here", Notice("progress", clean(news.told)))
            return
        self._screen.settle()
        self._screen.say(f"{about}: {clean(news.told)}" if about else clean(news.told))
        for line in news.log:
            self._screen.say(f"  | {clean(line)}")


class AsJson:
    """For programs. Who listens may have gone away: an upgrade that has begun goes on, and ends."""

    def __init__(self, machine: str, began_s: float) -> None:
        self._machine = machine
        self._began_s = began_s

    def tell(self, news: News) -> None:
        """Print it."""
        seconds = news.seconds or round(time.monotonic() - self._began_s, 3)
        told = msgspec.structs.replace(news, machine=news.machine or self._machine, seconds=seconds)
        try:
            sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
            sys.stdout.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_news(line: str) -> News | None:
    """Read a line of `--json`; None where it is something else, such as a shell's greeting."""
    try:
        return msgspec.json.decode(line, type=News)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
