"""This machine as a place for a pool's parts: memory, power, and what its system may keep from them. No I/O.

What macOS says is read from the texts of its own tools, so that it is tested anywhere.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from mlx_pool.terminal import clean
from shared.survey import Survey, WorkerView

from .finding import Finding, bad, ok, warn

_SLEEP: Final = re.compile(r"^\s*sleep\s+(\d+)", re.MULTILINE)
_RESTART: Final = re.compile(r"^\s*autorestart\s+(\d+)", re.MULTILINE)
_LOW_POWER: Final = re.compile(r"^\s*(?:lowpowermode|powermode)\s+1\b", re.MULTILINE)
_NEARLY_NONE = 0.05  # of all memory, that is free
_MOST_WIRED = 0.9  # of all memory; with more macOS has too little for itself
_POSSIBLE = 0.75  # of all memory, that a model may have: as `mlx-pool models list` reckons
_LOCAL_NETWORK_SINCE = 15  # the version of macOS that asks before a program may talk to the local network
_GB = 1e9


class Model(msgspec.Struct, frozen=True):
    """A model that has a queue, and the memory that it needs with some context."""

    name: str
    bytes: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of this machine; None, or an empty text, for what could not be learnt."""

    platform: str
    host: str  # as it is called in workers' names
    total_bytes: int | None = None
    free_bytes: int | None = None
    models: tuple[Model, ...] = ()
    wired_limit_mb: int | None = None  # macOS: 0 is the system's own choice
    macos: str = ""  # its version
    power: str = ""  # what `pmset -g` printed
    battery: str = ""  # and `pmset -g batt`
    has_nvidia: bool = False
    is_host_unreachable: bool = False  # Redis, though it is on the local network


def judge_machine(machine: Machine, surveys: Sequence[Survey]) -> Iterator[Finding]:
    """Judge it, with those workers of the pool that are here."""
    here = [view for survey in surveys for view in survey.live_workers if is_on(view, machine.host)]
    yield from _memory(machine, here)
    yield from _models(machine, here)
    if machine.has_nvidia and any("CPU" in view.note for view in here):
        advice = "pip install 'mlx-pool[cuda]' in an environment of its own."
        yield warn("compute", "There is an NVIDIA card, but a worker here computes on the CPU.", advice)
    if machine.platform == "darwin":
        yield from _mac(machine, is_kept_awake=bool(here))


def is_on(worker: WorkerView, host: str) -> bool:
    """Tell whether a worker runs on this machine, by its name."""
    return worker.id.rpartition(".")[0].rpartition(".")[0] == host


def _memory(machine: Machine, here: Sequence[WorkerView]) -> Iterator[Finding]:
    total, free = machine.total_bytes, machine.free_bytes
    if total is None:
        return
    told = f"This machine has {total / _GB:.0f} GB of memory" + (
        f", {free / _GB:.1f} GB free." if free is not None else "."
    )
    if free is not None and free < total * _NEARLY_NONE:
        yield warn("machine", told, "End what needs it, or give the engine less: `worker --memory-limit-gb`.")
    else:
        yield ok("machine", told)
    limits = sum(view.memory_limit_bytes for view in here)
    if len(here) > 1 and limits > total:
        yield warn(
            "machine",
            f"The {len(here)} workers here believe that they may have {limits / _GB:.0f} GB together.",
            "Share it out: `worker --memory-limit-gb`, or `up --memory-limit-gb`.",
        )


def _models(machine: Machine, here: Sequence[WorkerView]) -> Iterator[Finding]:
    served = {view.model for view in here}
    for model in machine.models:
        needs = f"{clean(model.name)} needs about {model.bytes / _GB:.1f} GB"
        if machine.total_bytes is not None and model.bytes > machine.total_bytes * _POSSIBLE:
            verdict = warn if model.name in served else _note
            yield verdict("models", f"{needs}: too much for this machine.", "Take a smaller model here.")
        elif model.name in served:
            yield ok("models", f"{needs}, and is served here.")
        elif machine.free_bytes is not None and model.bytes > machine.free_bytes:
            yield _note("models", f"{needs}: more than is free here now.", "")
        else:
            yield ok("models", f"{needs}, and would fit here.")


def _note(about: str, told: str, _advice: str) -> Finding:
    """What is no fault of a machine that is not asked to do it."""
    return ok(about, told)


def _mac(machine: Machine, *, is_kept_awake: bool) -> Iterator[Finding]:
    if machine.is_host_unreachable and _major(machine.macos) >= _LOCAL_NETWORK_SINCE:
        yield bad(
            "network",
            "Redis is on this network, but macOS finds no way to it: it may keep this program off the local network.",
            "System Settings, Privacy & Security, Local Network: switch your terminal, or Python, on; open it anew.",
        )
    yield from _power(machine, is_kept_awake=is_kept_awake)
    if (limit := machine.wired_limit_mb) and machine.total_bytes:
        share = limit * 2**20 / machine.total_bytes
        if share > _MOST_WIRED:
            yield bad(
                "wired limit",
                f"iogpu.wired_limit_mb is {limit}, {share:.0%} of all memory: under load macOS may stop.",
                f"sudo sysctl iogpu.wired_limit_mb={int(machine.total_bytes * _POSSIBLE) >> 20}",
            )
        else:
            yield ok("wired limit", f"iogpu.wired_limit_mb is {limit}, {share:.0%} of all memory.")
    elif limit == 0:
        yield ok("wired limit", "It is macOS's own choice.")


def _power(machine: Machine, *, is_kept_awake: bool) -> Iterator[Finding]:
    if not machine.power:
        return
    minutes = int(found[1]) if (found := _SLEEP.search(machine.power)) else 0
    if minutes and not is_kept_awake:
        told = f"This Mac sleeps after {minutes} minutes, and with it whatever runs here."
        yield warn("power", told, "sudo pmset -a sleep 0 (a worker keeps its Mac awake by itself).")
    elif minutes:
        yield ok("power", "This Mac would sleep, but its worker keeps it awake.")
    else:
        yield ok("power", "This Mac does not sleep.")
    if _LOW_POWER.search(machine.power):
        yield warn("power", "Low power mode is on: tokens come slower.", "sudo pmset -a lowpowermode 0")
    if "'Battery Power'" in machine.battery:
        yield warn("power", "It runs on battery: slower, and not for long.", "Plug it in.")
    if (found := _RESTART.search(machine.power)) and found[1] == "0":
        yield warn("power", "After a power failure this Mac stays off.", "sudo pmset -a autorestart 1")


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0
