"""`python -m worker.catalog`, which `mlx-pool models` becomes: list, fetch, import and remove models.

Exit codes: 0 done, 1 a fault of ours or of the machine, 2 something to correct in what was asked.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from shared.errors import PoolError, Refused

from .adapters import CONFIG
from .arguments import parser
from .conversion import import_gguf
from .disk import free_bytes
from .ensure import Fill, bring, create
from .entries import read_catalogue
from .fit import Machine, fits, machine_memory_mb
from .folders import models_folders
from .intake import import_adapter, import_model
from .listing import rows
from .listing_table import table
from .progress import Progress, Style, shown, untold
from .removal import find_removable, remove, size_bytes
from .resolve import Resolved, resolve
from .room import room_of
from .supplied import bring_supplied, read_supply

_MB = 1_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    arguments = parser().parse_args(argv)
    try:
        return int(_COMMANDS[arguments.command](arguments) or 0)
    except PoolError as error:
        print(f"mlx-pool models: {error.message}", file=sys.stderr)  # noqa: T201 -- the command's voice
        return 2 if isinstance(error, Refused) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _list(arguments: argparse.Namespace) -> None:
    folders = models_folders(os.environ)
    machine = _machine(folders[0])
    listed = rows(read_catalogue(), folders, machine)
    _say(
        msgspec.json.format(msgspec.json.encode(listed)).decode()
        if arguments.json
        else table(listed, machine, home=Path.home())
    )


def _machine(folder: Path) -> Machine:
    free = free_bytes(folder)
    return Machine(machine_memory_mb(), None if free is None else free // _MB)


def _pull(arguments: argparse.Namespace) -> None:
    if arguments.from_pool:
        supply = read_supply(sys.stdin.buffer)
        with shown(_style(arguments)) as progress:
            model, folder = bring_supplied(arguments.name, supply, progress)
        _done(arguments, model.queue, folder, model.adapter)
        return
    model = resolve(arguments.name, models_dirs=models_folders(os.environ), env=os.environ)
    if model.source is not None:
        _warn_of_size(model)
    with shown(_style(arguments)) as progress:
        folder = bring(model, progress)
    _done(arguments, model.queue, folder, model.adapter)


def _warn_of_size(model: Resolved) -> None:
    """Tell before the download what will not run here; it may be meant for another machine, so it is not refused."""
    entry, memory_mb = read_catalogue().entry(model.queue), machine_memory_mb()
    needed_mb = entry.memory_mb if entry else None
    if needed_mb and fits(needed_mb, memory_mb=memory_mb) == "too large":
        _tell(f"{model.queue} needs about {needed_mb / 1000:.1f} GB of memory; too much for the {memory_mb} MB here.")


def _import(arguments: argparse.Namespace) -> None:
    path: Path = arguments.path.expanduser().absolute()
    name = arguments.name or (path.stem if path.suffix == ".gguf" else path.name)
    if "/" in name or name.startswith("."):
        raise Refused("invalid_value", f"{name} can't be a folder's name: give another with --name.", param="name")
    folder = models_folders(os.environ)[0] / name
    if folder.exists():
        raise Refused("invalid_value", f"{folder} exists: give another name with --name, or remove it.", param="name")
    with shown(_style(arguments)) as progress:
        create(folder, _filling(path, arguments, progress), progress)
    _done(arguments, name, folder)


def _filling(path: Path, arguments: argparse.Namespace, progress: Progress) -> Fill:
    """Choose how to take in what lies at the path."""
    if not path.is_dir():
        return lambda partial: import_gguf(path, partial, progress)
    if (path / "config.json").exists() or not (path / CONFIG).exists():
        return lambda partial: import_model(path, partial, progress, link=arguments.link)
    if arguments.base:
        resolve(arguments.base, models_dirs=models_folders(os.environ), env=os.environ)
    return lambda partial: import_adapter(path, partial, progress, base=arguments.base, link=arguments.link)


def _remove(arguments: argparse.Namespace) -> int:
    folder = find_removable(arguments.name, models_folders(os.environ), os.environ)
    size = f"{size_bytes(folder) / _MB:,.0f} MB"
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise Refused("missing_field", f"Removing {folder} ({size}) needs --yes.", param="yes")
        if input(f"Remove {folder} ({size})? [y/N] ").strip().lower() not in {"y", "yes"}:
            return 1
    remove(folder, untold)
    _say(f"Removed {folder} ({size})")
    return 0


def _path(arguments: argparse.Namespace) -> int:
    model = resolve(arguments.name, models_dirs=models_folders(os.environ), env=os.environ)
    _say(str(model.adapter or model.folder))
    if model.source is None:
        return 0
    _tell(f"It is not there yet: mlx-pool models pull {model.queue}")
    return 1


def _needs(arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        room = room_of(resolve(name, models_dirs=models_folders(os.environ), env=os.environ))
        _say(msgspec.json.encode(room).decode() if arguments.json else room.in_words())


def _synthetic(arguments: argparse.Namespace) -> None:
    from .synthetic import WRITERS  # noqa: PLC0415 -- it imports mlx, which no other command here does at once

    WRITERS[arguments.kind](arguments.folder)
    _say(str(arguments.folder))


def _style(arguments: argparse.Namespace) -> Style:
    if arguments.json:
        return "json"
    return "bar" if sys.stderr.isatty() else "lines"


def _done(arguments: argparse.Namespace, queue: str, folder: Path, adapter: Path | None = None) -> None:
    if not arguments.json:
        _say(str(adapter or folder))
        return
    found = {"status": "present", "queue": queue, "path": str(folder)}
    _say(msgspec.json.encode(found | ({"adapter": str(adapter)} if adapter else {})).decode())


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- the command's voice


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 -- likewise


_COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "list": _list,
    "pull": _pull,
    "import": _import,
    "rm": _remove,
    "path": _path,
    "needs": _needs,
    "synthetic": _synthetic,
}


if __name__ == "__main__":
    sys.exit(main())
