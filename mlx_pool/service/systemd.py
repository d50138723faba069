"""A service of Linux: the unit that systemd reads, and what is said to it."""

import re
import shlex

from mlx_pool.part import part_argv

from .env_file import encode_env
from .owner import Owner
from .place import Place
from .standing import Standing
from .want import Want
from .work import File, Run, Work

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_PROPERTIES = ("ActiveState", "MainPID", "ExecMainStatus", "Result")


def unit_of(want: Want, place: Place, owner: Owner) -> str:
    """Give the unit: started again unless it has something to correct, with time to drain."""
    argv = part_argv("mlx_pool", ("up", *want.argv)) if want.part == "up" else part_argv(want.part, want.argv)
    is_system = owner.scope == "system"
    unit = [f"Description=mlx-pool {want.part} ({want.name})", "StartLimitIntervalSec=0"]
    service = [
        "Type=exec",
        f"ExecStart={' '.join(map(_word, argv))}",
        f"EnvironmentFile={_path(str(place.env_file))}",
        f"WorkingDirectory={_path(want.folder)}",
        # Also after an orderly end: `mlx-pool drain` restarts it, `mlx-pool service remove` ends it.
        "Restart=always",
        "RestartSec=5",
        "RestartPreventExitStatus=2",
        # Only the agent is asked to end: its engine goes on with what runs while it drains.
        "KillMode=mixed",
        f"TimeoutStopSec={want.stop_limit_s}",
        "LimitNOFILE=65536",
    ]
    if is_system:
        unit += ["After=network-online.target", "Wants=network-online.target"]
        service += [f"User={owner.name}", "NoNewPrivileges=yes", "ProtectSystem=full"]
    install = [f"WantedBy={'multi-user.target' if is_system else 'default.target'}"]
    sections = (("Unit", unit), ("Service", service), ("Install", install))
    return "\n".join("\n".join((f"[{name}]", *lines, "")) for name, lines in sections)


def installing(want: Want, place: Place, owner: Owner) -> Work:
    """Give what makes it a service, in place of the one of this name, if there is one."""
    # Asked before anything is written: over some ways in there is no session, and nobody who would start it.
    there = Run(_systemctl(owner, "show-environment"), advice=_NO_SESSION if owner.scope == "user" else "")
    return Work(
        before=(there,),
        files=(
            File(place.env_file, encode_env(want.env), is_secret=True),
            File(place.unit, unit_of(want, place, owner)),
        ),
        after=(
            Run(_systemctl(owner, "daemon-reload")),
            Run(_systemctl(owner, "enable", place.label)),
            Run(_systemctl(owner, "restart", place.label)),
        ),
        hints=() if owner.scope == "system" else (_LINGER,),
    )


def removing(place: Place, owner: Owner) -> Work:
    """Give what ends it for good; its log stays in the journal."""
    return Work(
        before=(Run(_systemctl(owner, "disable", "--now", place.label), is_optional=True),),
        deleted=(place.unit, place.env_file),
    )


def stopping(place: Place, owner: Owner) -> Work:
    """Give what has it drain and end; it stays installed."""
    return Work(before=(Run(_systemctl(owner, "stop", place.label)),))


def starting(place: Place, owner: Owner) -> Work:
    """Give what starts it, whatever became of it before."""
    failures = Run(_systemctl(owner, "reset-failed", place.label), is_optional=True)
    return Work(after=(failures, Run(_systemctl(owner, "start", place.label))))


def argv_in(unit: str) -> tuple[str, ...]:
    """Read the command line that a unit of ours runs."""
    found = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return tuple(word.replace("%%", "%").replace("$$", "$") for word in shlex.split(found[1])) if found else ()


def asking(place: Place, owner: Owner) -> tuple[str, ...]:
    """Give the command that tells how it is."""
    return _systemctl(owner, "show", place.label, *(f"--property={name}" for name in _PROPERTIES))


def standing_in(told: str, code: int) -> Standing:
    """Read what `systemctl show` tells, and its exit code."""
    fields: dict[str, str] = dict(re.findall(r"^(\w+)=(.*)$", told, re.MULTILINE))
    if code or "ActiveState" not in fields:
        return Standing(state="stopped", detail="systemd does not answer for it")
    pid, status = int(fields.get("MainPID", "0")), int(fields.get("ExecMainStatus", "0"))
    match fields["ActiveState"]:
        case "active" | "activating" | "reloading" | "deactivating" if pid:
            return Standing(state="running", pid=pid)
        case "failed":
            detail = "something has to be corrected; its log says what" if status == 2 else fields.get("Result", "")
            return Standing(state="failed", last_exit_code=status, detail=detail)
        case _:
            return Standing(state="stopped", last_exit_code=status)


def showing_logs(place: Place, lines: int, *, follow: bool) -> tuple[str, ...]:
    """Give the command that shows what it logged."""
    unit = ("--unit" if place.scope == "system" else "--user-unit", place.label)
    return ("journalctl", *unit, "--output=cat", "--lines", str(lines), *(["--follow"] if follow else []))


_NO_SESSION = "Log in as this user (`loginctl enable-linger` lasts), or make it the machine's: sudo, and --system."
_LINGER = (
    "It runs while you are logged in; after `loginctl enable-linger`, or with --system, from the machine's start on."
)


def _systemctl(owner: Owner, *words: str) -> tuple[str, ...]:
    return ("systemctl", *(["--user"] if owner.scope == "user" else []), *words)


def _word(text: str) -> str:
    """Write a word of a command line; systemd expands % and $, also in quotes."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = re.sub(r'(["\\])', r"\\\1", text).replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _path(text: str) -> str:
    return text.replace("%", "%%")
