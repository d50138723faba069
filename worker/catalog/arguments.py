"""The flags of `mlx-pool models`, one subcommand a verb."""

import argparse
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Make the parser; `command` of what it reads is the verb, `list` where none is given."""
    root = argparse.ArgumentParser(prog="mlx-pool models", description="List, fetch, import and remove models.")
    commands = root.add_subparsers(metavar="COMMAND", dest="command", help="list, if none is given")
    root.set_defaults(command="list", json=False)
    listing = commands.add_parser("list", help="show the models that have names here, where they are, and what fits")
    pull = commands.add_parser("pull", help="bring a model to this machine, and print its folder")
    pull.add_argument("name", metavar="NAME", help="a name of the list, or a Hugging Face id")
    pull.add_argument(
        "--from-pool", action="store_true", help="take it from machines of a pool, which stdin names, as JSON"
    )
    importing = commands.add_parser("import", help="take in a model folder, an adapter folder or a GGUF file")
    _describe_import(importing)
    removing = commands.add_parser("rm", help="remove a model from this machine")
    removing.add_argument("name", metavar="NAME")
    removing.add_argument("--yes", action="store_true", help="do not ask")
    path = commands.add_parser("path", help="print a model's folder, without fetching anything")
    path.add_argument("name", metavar="NAME", nargs="?", default="", help="the default model if not given")
    needs = commands.add_parser("needs", help="tell what models need and what is here for them, without fetching")
    needs.add_argument("names", metavar="NAME", nargs="+", help="as for pull; an empty one is the default model")
    synthetic = commands.add_parser("synthetic", help="write a small model of random weights, for tests and benches")
    synthetic.add_argument("kind", choices=("tiny", "deepseek-moe"))
    synthetic.add_argument("folder", metavar="FOLDER", type=Path)
    for command in (listing, pull, importing, needs):
        command.add_argument("--json", action="store_true", help="JSON on stdout, for programs")
    return root


def _describe_import(importing: argparse.ArgumentParser) -> None:
    importing.add_argument(
        "path", metavar="PATH", type=Path, help="a folder, or a GGUF file (a llama with a byte-level vocabulary)"
    )
    importing.add_argument("--name", help="what to call it here; the folder's or file's own name if not given")
    importing.add_argument("--link", action="store_true", help="link to a folder's files instead of copying them")
    importing.add_argument(
        "--base", metavar="NAME", help="of an adapter: the model it was made on, as it is named here"
    )
