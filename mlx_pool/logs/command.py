"""The command `mlx-pool logs`: what the parts of this machine's `up` have logged, in one order."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from mlx_pool.arguments import call
from mlx_pool.data_folder import data_folder
from mlx_pool.failure import Unusable
from mlx_pool.terminal import ink_for

from . import line as log_line
from .line import Level, LogLine
from .tail import Tail, in_order, log_files

# Files have no signal that is the same on every system; this is how late a line may be seen.
_LOOK_EVERY_S: Final = 0.25


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(logs, argv, name="logs")


def logs(
    part: Annotated[
        str | None, Parameter(help="gateway, worker (all of them), worker-2, broker, … [default: all]")
    ] = None,
    /,
    *,
    lines: Annotated[int, Parameter(name=("--lines", "-n"), help="How many of each part, the last ones.")] = 50,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="", help="Go on until Ctrl-C.")] = False,
    level: Annotated[Level, Parameter(help="Only what is at least that grave.")] = "debug",
    data: Annotated[Path | None, Parameter(help="The data folder of that `up`.")] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="One object a line, for programs.")] = False,
) -> int:
    """Show what the parts of this machine's `up` have logged, in the order of its times."""
    folder = data_folder(data, os.environ)
    files = chosen_files(log_files(folder.logs), part, folder.logs)
    show = _shower(max(map(len, files)), level, as_json=as_json)
    tails = [Tail(name, path) for name, path in files.items()]
    show(in_order([line for tail in tails for line in tail.last(max(0, lines))]))
    try:
        while follow:
            time.sleep(_LOOK_EVERY_S)
            show(in_order([line for tail in tails for line in tail.more()]))
    except KeyboardInterrupt:
        pass  # that is how one leaves
    return 0


def chosen_files(files: dict[str, Path], part: str | None, folder: Path) -> dict[str, Path]:
    """Choose the files of a part, or all.

    Raises:
        Unusable: there is none.

    """
    if not files:
        raise Unusable(f"Nothing was logged in {folder}: `mlx-pool up` does so, on its own machine.")
    if part is None:
        return files
    name = part.replace(" ", "-")
    chosen = {name: files[name]} if name in files else {each: files[each] for each in files if _is_one_of(each, name)}
    if not chosen:
        raise Unusable(f"No part `{part}` has logged anything; these have: {', '.join(files)}.")
    return chosen


def _is_one_of(each: str, name: str) -> bool:
    kind, _, number = each.rpartition("-")
    return kind == name and number.isdecimal()


def _shower(width: int, level: Level, *, as_json: bool) -> Callable[[Sequence[LogLine]], None]:
    ink = ink_for(sys.stdout)

    def show(lines: Sequence[LogLine]) -> None:
        for line in lines:
            if log_line.is_at_least(line, level):
                text = log_line.as_json(line) if as_json else log_line.drawn(line, ink, width=width)
                sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    return show
