"""How the scripted engine breaks, on command: by a flag for the whole process, by a directive in one prompt.

    hang      the loop stops: no token, no stats, though the process and its reader live
    crash     an exception in the loop: traceback, exit code 1
    oom       Metal's way of running out of memory: a line on stderr, SIGABRT
    garbage   a line that is no JSON stands between two replies; the engine goes on

`--fault KIND@n` strikes at the process's n-th decode step, with n = 0 while it loads. In a prompt `[[KIND@n]]` strikes
before the n-th id of the generation, ids of earlier attempts counted, with n = 0 in its prefill: every attempt dies
there, as with a job that is poison. `[[KIND@+n]]` counts this attempt's ids only: each attempt gets a bit further.
`[[full@n]]` and `[[full@+n]]` hand the generation back there, as an engine does that has no memory for it.
`[[slow:20]]` gives that generation a token each 20 ms, and leaves the others their pace.
"""

import os
import re
import sys
import time
from typing import Literal, NoReturn

import msgspec

FaultKind = Literal["hang", "crash", "oom", "garbage"]
GARBAGE = b"\xff\xfe{not json\n"

_FAULT = re.compile(r"(hang|crash|oom|garbage)@(\+?)([0-9]{1,9})")
_FAULT_IN_PROMPT = re.compile(rf"\[\[{_FAULT.pattern}\]\]")
_FULL_IN_PROMPT = re.compile(r"\[\[full@(\+?)([0-9]{1,9})\]\]")
_SLOW_IN_PROMPT = re.compile(r"\[\[slow:([0-9]{1,6})\]\]")


class Fault(msgspec.Struct, frozen=True):
    """What goes wrong, and before which step or id."""

    kind: FaultKind
    at: int
    is_relative: bool = False  # counted from where this attempt began


class Crash(Exception):
    """The loop failed, as told."""


def parse_fault(text: str) -> Fault:
    """Parse `KIND@n`, or raise ValueError."""
    match = _FAULT.fullmatch(text)
    if match is None or match[2]:
        raise ValueError(f"a fault is hang, crash, oom or garbage, then @ and a step, not {text!r}")
    return _fault_of(match)


def faults_in(prompt: str) -> list[Fault]:
    """Return the faults that a prompt's directives ask for."""
    return [_fault_of(match) for match in _FAULT_IN_PROMPT.finditer(prompt)]


def full_in(prompt: str, count: int) -> int | None:
    """Return before which id a prompt has its generation handed back, if it does; `count` is where it began."""
    match = _FULL_IN_PROMPT.search(prompt)
    return int(match[2]) + (count if match[1] else 0) if match else None


def pace_in(prompt: str) -> int | None:
    """Return the milliseconds a token that a prompt asks for, if it does."""
    match = _SLOW_IN_PROMPT.search(prompt)
    return int(match[1]) if match else None


def strike(kind: FaultKind) -> bytes:
    """Break; only garbage returns, with the bytes to be written."""
    if kind == "garbage":
        return GARBAGE
    if kind == "crash":
        raise Crash("told to crash")
    if kind == "oom":
        _abort()
    while True:
        time.sleep(3_600)


def _abort() -> NoReturn:
    import resource  # noqa: PLC0415 - not needed by an engine that is well

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("[METAL] Command buffer execution failed: Insufficient Memory", file=sys.stderr, flush=True)  # noqa: T201 - Metal's words, as the agent's log shows them
    os.abort()


def _fault_of(match: re.Match[str]) -> Fault:
    return Fault(msgspec.convert(match[1], FaultKind), int(match[3]), is_relative=bool(match[2]))
