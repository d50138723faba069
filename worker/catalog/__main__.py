"""`python -m worker.catalog`, which `mlx-pool models` becomes: list, fetch and import models.

Exit codes: 0 done, 1 a fault of ours or of the machine, 2 something to correct in what was asked.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from shared.errors import PoolError, Refused

from .conversion import import_gguf
from .ensure import bring, create
from .entries import read_catalogue
from .fit import machine_memory_mb
from .folders import models_folders
from .listing import rows, table
from .progress import Style, shown
from .resolve import resolve


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except PoolError as error:
        print(f"mlx-pool models: {error.message}", file=sys.stderr)  # noqa: T201 -- the command's voice
        return 2 if isinstance(error, Refused) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlx-pool models", description="List, fetch and import models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser(
        "list", help="show the models that have names here, and which of them are on this machine"
    )
    listing.set_defaults(run=_list)
    pull = commands.add_parser("pull", help="bring a model to this machine, and print its folder")
    pull.add_argument("name", metavar="NAME", help="a name of the list, or a Hugging Face id")
    pull.set_defaults(run=_pull)
    importing = commands.add_parser("import", help="import a GGUF file (a llama with a byte-level vocabulary)")
    importing.add_argument("file", metavar="FILE.gguf", type=Path)
    importing.add_argument("--name", help="the new folder's name; the file's name without its ending if not given")
    importing.set_defaults(run=_import)
    path = commands.add_parser("path", help="print a model's folder, without fetching anything")
    path.add_argument("name", metavar="NAME", nargs="?", default="", help="the default model if not given")
    path.set_defaults(run=_path)
    synthetic = commands.add_parser("synthetic", help="write a small model of random weights, for tests and benches")
    synthetic.add_argument("kind", choices=("tiny", "deepseek-moe"))
    synthetic.add_argument("folder", metavar="FOLDER", type=Path)
    synthetic.set_defaults(run=_synthetic)
    for command in (listing, pull, importing):
        command.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return parser


def _list(arguments: argparse.Namespace) -> None:
    listed = rows(read_catalogue(), models_folders(os.environ), memory_mb=machine_memory_mb())
    _say(msgspec.json.format(msgspec.json.encode(listed)).decode() if arguments.json else table(listed))


def _pull(arguments: argparse.Namespace) -> None:
    model = resolve(arguments.name, models_dirs=models_folders(os.environ), env=os.environ)
    with shown(_style(arguments)) as progress:
        folder = bring(model, progress)
    _done(arguments, model.queue, folder)


def _import(arguments: argparse.Namespace) -> None:
    name = arguments.name or arguments.file.stem
    if "/" in name or name.startswith("."):
        raise Refused("invalid_value", f"{name} can't be a folder's name: give another with --name.", param="name")
    folder = models_folders(os.environ)[0] / name
    if folder.exists():
        raise Refused("invalid_value", f"{folder} exists: give another name with --name, or remove it.", param="name")
    with shown(_style(arguments)) as progress:
        create(folder, lambda partial: import_gguf(arguments.file, partial, progress), progress)
    _done(arguments, name, folder)


def _path(arguments: argparse.Namespace) -> int:
    model = resolve(arguments.name, models_dirs=models_folders(os.environ), env=os.environ)
    _say(str(model.folder))
    if model.source is None:
        return 0
    print(f"It is not there yet: mlx-pool models pull {model.queue}", file=sys.stderr)  # noqa: T201 -- the command's voice
    return 1


def _synthetic(arguments: argparse.Namespace) -> None:
    from .synthetic import WRITERS  # noqa: PLC0415 -- it imports mlx, which no other command here does at once

    WRITERS[arguments.kind](arguments.folder)
    _say(str(arguments.folder))


def _style(arguments: argparse.Namespace) -> Style:
    if arguments.json:
        return "json"
    return "bar" if sys.stderr.isatty() else "lines"


def _done(arguments: argparse.Namespace, queue: str, folder: Path) -> None:
    _say(
        msgspec.json.encode({"status": "present", "queue": queue, "path": str(folder)}).decode()
        if arguments.json
        else str(folder)
    )


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 -- the command's voice


if __name__ == "__main__":
    sys.exit(main())
