"""The models that a measurement runs on: from the catalogue, from a folder, or made for the occasion."""

import subprocess
from pathlib import Path

from .rig.process import ROOT, environment, python

TINY = "tiny"


def folder_of(model: str, folder: Path) -> Path:
    """The model's folder: `tiny` is written below `folder`, a name of the catalogue is fetched where it is missing."""
    if model == TINY:
        return Path(_catalog("synthetic", TINY, str(folder / TINY)))
    return Path(model) if Path(model).is_dir() else Path(_catalog("pull", model))


def peers_folder_of(model: Path, into: Path) -> Path:
    """A folder with the same weights in the form in which our engine computes on them, for servers that just load."""
    return Path(_last_line("bench.contenders.float32", "--model", str(model), "--into", str(into)))


def _catalog(*words: str) -> str:
    return _last_line("worker.catalog", *words)


def _last_line(module: str, *words: str) -> str:
    command = python(module, *words)
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]
