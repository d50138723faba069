"""A service of macOS: the property list that launchd reads, and what is said to it."""

import plistlib
import re
from pathlib import Path
from typing import Any

from mlx_pool.part import part_argv

from .env_file import encode_env
from .owner import Owner
from .place import Place
from .standing import Standing
from .want import Want
from .work import File, Run, Work

_THROTTLE_S = 10
_FILES = 65_536
_FORGETS_S = 30.0


def plist_of(want: Want, place: Place, owner: Owner) -> dict[str, Any]:
    """Give the property list: started at once, and again whenever it ends, with time to drain.

    launchd has no file of variables, and rotates no logs: `keep` does both, and is what it starts.
    """
    assert place.log is not None, "launchd keeps no log"
    keep = (str(place.env_file), str(place.log), want.part, *want.argv)
    told: dict[str, Any] = {
        "Label": place.label,
        "ProgramArguments": list(part_argv("mlx_pool.service.keep", keep)),
        "RunAtLoad": True,
        # Also after an orderly end: `mlx-pool drain` restarts it, `mlx-pool service remove` ends it.
        "KeepAlive": True,
        "ThrottleInterval": _THROTTLE_S,
        "ExitTimeOut": want.stop_limit_s,
        # Else macOS lets it have the slow cores, and little of the disk.
        "ProcessType": "Interactive",
        "SoftResourceLimits": {"NumberOfFiles": _FILES},
        "WorkingDirectory": want.folder,
        # What `keep` itself has to say, which is little.
        "StandardErrorPath": str(place.log.with_suffix(".err")),
    }
    if owner.scope == "system":
        told |= {"UserName": owner.name, "EnvironmentVariables": {"HOME": str(owner.home)}}
    return told


def installing(want: Want, place: Place, owner: Owner) -> Work:
    """Give what makes it a service, in place of the one of this name, if there is one."""
    assert place.log is not None, "launchd keeps no log"
    text = plistlib.dumps(plist_of(want, place, owner), sort_keys=False).decode()
    target = f"{_domain(owner)}/{place.label}"
    # The one before may take its time to drain, and launchd refuses another of its name until it is gone.
    start = Run(("launchctl", "bootstrap", _domain(owner), str(place.unit)), within_s=want.stop_limit_s + 5.0)
    return Work(
        before=(Run(("launchctl", "bootout", target), is_optional=True),),
        files=(File(place.env_file, encode_env(want.env), is_secret=True), File(place.unit, text)),
        folders=(place.log.parent,),
        after=(Run(("launchctl", "enable", target)), start),
        hints=_hints(owner),
    )


def removing(place: Place, owner: Owner) -> Work:
    """Give what ends it for good; its log stays."""
    target = f"{_domain(owner)}/{place.label}"
    return Work(before=(Run(("launchctl", "bootout", target), is_optional=True),), deleted=(place.unit, place.env_file))


def stopping(place: Place, owner: Owner) -> Work:
    """Give what has it drain and end; it stays installed, and begins again with its user's next log-in.

    launchctl may complain that it is still under way: whether it has ended, its process tells.
    """
    return Work(before=(Run(("launchctl", "bootout", f"{_domain(owner)}/{place.label}"), is_optional=True),))


def starting(place: Place, owner: Owner) -> Work:
    """Give what starts it; launchd takes a moment to forget the one before."""
    return Work(after=(Run(("launchctl", "bootstrap", _domain(owner), str(place.unit)), within_s=_FORGETS_S),))


def argv_in(unit: str) -> tuple[str, ...]:
    """Read the command line that a property list of ours runs."""
    told: dict[str, Any] = plistlib.loads(unit.encode())
    return tuple(str(word) for word in told.get("ProgramArguments", ()))


def asking(place: Place, owner: Owner) -> tuple[str, ...]:
    """Give the command that tells how it is."""
    return ("launchctl", "print", f"{_domain(owner)}/{place.label}")


def standing_in(told: str, code: int) -> Standing:
    """Read what `launchctl print` tells, and its exit code."""
    if code:
        return Standing(state="stopped", detail="launchd does not know it: log in once, or install it again")
    fields = dict(re.findall(r"^\t(state|pid|last exit code) = (.*)$", told, re.MULTILINE))
    is_running = fields.get("state") == "running"
    ended = re.match(r"\d+", fields.get("last exit code", ""))
    return Standing(
        state="running" if is_running else "stopped",
        pid=int(fields["pid"]) if is_running and "pid" in fields else None,
        last_exit_code=int(ended[0]) if ended else None,
    )


def showing_logs(place: Place, lines: int, *, follow: bool) -> tuple[str, ...]:
    """Give the command that shows what it logged."""
    assert place.log is not None, "launchd keeps no log"
    return ("tail", "-n", str(lines), *(["-F"] if follow else []), str(place.log))


def _domain(owner: Owner) -> str:
    return "system" if owner.scope == "system" else f"gui/{owner.uid}"


def _hints(owner: Owner) -> tuple[str, ...]:
    if owner.scope == "system":
        return ("A Mac that sleeps serves nobody: `sudo pmset -a sleep 0` keeps it awake.",)
    return (
        f"It runs while {owner.name} is logged in; with sudo and --system, from the machine's start on.",
        "macOS may ask whether it may look for devices on the local network: allow it, or it finds no Redis there.",
    )


def log_files(place: Place) -> tuple[Path, ...]:
    """Give the files that its log may lie in."""
    return () if place.log is None else (place.log, place.log.with_name(f"{place.log.name}.1"))
