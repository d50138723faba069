"""The command `mlx-pool service`: a worker, a gateway or an `up` that this machine keeps running."""

import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NoReturn

import msgspec
from cyclopts import Parameter

from mlx_pool.arguments import JsonFlag, call
from mlx_pool.failure import Unusable
from mlx_pool.part import require
from mlx_pool.table import table

from . import launchd, systemd
from .deeds import ask, carry_out, in_words
from .owner import Owner, owner_of
from .place import Manager, Place, manager_of, names_in, place_of
from .standing import Standing
from .want import PARTS, PartName, Want, wanted

Deed = Literal["install", "status", "logs", "remove"]
_MANAGERS = {"launchd": launchd, "systemd": systemd}
_TAKE_A_VALUE = ("--name", "--user", "--lines")
_NO_PARTS = ("--dry-run", "--json", "--system", "-h", "--help")


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A service, for programs."""

    name: str
    unit: str
    env_file: str
    label: str
    variables: list[str] = []


def run(argv: Sequence[str]) -> int:
    """Run the command. What stands behind the part's name is the part's own."""
    head, rest = split(argv)
    return call(service, [*head, "--", *rest], name="service")


def service(
    deed: Annotated[Deed, Parameter(help="install, status, logs or remove.")] = "status",
    part: Annotated[str | None, Parameter(help="worker, gateway or up.")] = None,
    *flags: Annotated[str, Parameter(help="The part's own flags.")],
    name: Annotated[str | None, Parameter(help="What it is called here. [default: the part's name]")] = None,
    system: Annotated[
        bool, Parameter(negative="", help="The machine's, from its start on; needs root. [default: yours]")
    ] = False,
    user: Annotated[str | None, Parameter(help="With --system: as whom it runs. [default: who called sudo]")] = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Only tell what would be done.")] = False,
    lines: Annotated[int, Parameter(help="How many lines `logs` shows.")] = 100,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="", help="Go on until Ctrl-C.")] = False,
    as_json: JsonFlag = False,
) -> int:
    """Have this machine keep a part of the pool running: by launchd on a Mac, by systemd on Linux.

    `mlx-pool service install worker --model qwen3-4b --redis redis://…` starts it now, and again after a crash, a
    log-in or, with --system, a start of the machine. Addresses with passwords go into a file for its user's eyes only.
    """
    manager, owner = manager_of(sys.platform), owner_of(user, is_system=system, is_told_only=dry_run)
    match deed:
        case "install":
            return _install(wanted(part, flags, name, os.environ), manager, owner, is_dry=dry_run, as_json=as_json)
        case "remove":
            return _remove(_place(name or part, manager, owner), manager, owner, is_dry=dry_run)
        case "status":
            return _status(name or part, manager, owner, as_json=as_json)
        case "logs":
            return _show_logs(_place(name or part, manager, owner), manager, lines, follow=follow)


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the command's own words, up to a part's name, from that part's flags, of which only `install` has any.

    A flag that both have, as `--name`, is the part's behind its name.
    """
    if "install" not in argv:
        return list(argv), []
    at = 0
    while at < len(argv):
        if argv[at] in PARTS:
            own, flags = _own_first(argv[at + 1 :])
            return [*argv[: at + 1], *own], flags
        at += 2 if argv[at] in _TAKE_A_VALUE else 1
    return list(argv), []


def _own_first(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the flags that are no part's, wherever they stand: who writes --dry-run last means it as well."""
    own: list[str] = []
    flags: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in _NO_PARTS:
            own.append(word)
        elif word == "--user":
            own += [word, *itertools.islice(rest, 1)]
        else:
            flags.append(word)
    return own, flags


def _place(name: str | None, manager: Manager, owner: Owner) -> Place:
    units = place_of("x", manager, owner.scope, owner.home).unit.parent
    there = names_in(units, manager)
    if name is None and len(there) == 1:
        return place_of(there[0], manager, owner.scope, owner.home)
    if name is None or name not in there:
        which = f"these are: {', '.join(there)}" if there else "none is"
        raise Unusable(f"{'Which one' if name is None else f'No service {name}'} is installed here? {which}.")
    return place_of(name, manager, owner.scope, owner.home)


def _install(want: Want, manager: Manager, owner: Owner, *, is_dry: bool, as_json: bool) -> int:
    _check_part(want.part, want.argv)
    place = place_of(want.name, manager, owner.scope, owner.home)
    work = _MANAGERS[manager].installing(want, place, owner)
    if is_dry:
        sys.stdout.write("".join(f"{line}\n" for line in in_words(work)))
        return 0
    carry_out(work, owner)
    told = Told(
        name=want.name,
        unit=str(place.unit),
        env_file=str(place.env_file),
        label=place.label,
        variables=sorted(want.env),
    )
    if as_json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return 0
    sys.stdout.write(f"{want.name} runs as {place.label}; `mlx-pool service status` shows it, `… logs` what it says\n")
    sys.stderr.write(
        "".join(f"{line}\n" for line in (f"kept in {told.env_file}: {', '.join(told.variables)}", *work.hints))
    )
    return 0


def _check_part(part: PartName, argv: Sequence[str]) -> None:
    """What would end each start of it is said before it is installed."""
    if part in {"gateway", "up"}:
        require("gateway")
    if part == "worker" and "scripted" not in " ".join(argv):
        require("mlx")


def _remove(place: Place, manager: Manager, owner: Owner, *, is_dry: bool) -> int:
    work = _MANAGERS[manager].removing(place, owner)
    if is_dry:
        sys.stdout.write("".join(f"{line}\n" for line in in_words(work)))
        return 0
    carry_out(work, owner)
    sys.stdout.write(f"{place.label} is gone; what it ran goes on elsewhere\n")
    return 0


def _status(name: str | None, manager: Manager, owner: Owner, *, as_json: bool) -> int:
    units = place_of("x", manager, owner.scope, owner.home).unit.parent
    if name is not None:
        _place(name, manager, owner)
    names = [name] if name is not None else names_in(units, manager)
    standings = {each: _standing(each, manager, owner) for each in names}
    if as_json:
        told = {each: msgspec.to_builtins(standing) for each, standing in standings.items()}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        sys.stdout.write(as_lines(standings) + "\n")
    return 0 if all(standing.state == "running" for standing in standings.values()) else 1


def _standing(name: str, manager: Manager, owner: Owner) -> Standing:
    tool = _MANAGERS[manager]
    return tool.standing_in(*ask(tool.asking(place_of(name, manager, owner.scope, owner.home), owner)))


def as_lines(standings: Mapping[str, Standing]) -> str:
    """Draw services for a person."""
    if not standings:
        return "no service is installed here; `mlx-pool service install worker --model NAME --redis URL` makes one"
    rows = [
        [
            name,
            each.state,
            str(each.pid or "-"),
            "-" if each.last_exit_code is None else str(each.last_exit_code),
            each.detail,
        ]
        for name, each in standings.items()
    ]
    return table(("SERVICE", "STATE", "PID", "LAST EXIT", "DETAIL"), rows)


def _show_logs(place: Place, manager: Manager, lines: int, *, follow: bool) -> NoReturn:
    argv = _MANAGERS[manager].showing_logs(place, lines, follow=follow)
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606 -- a tool of the system's, with our own words
