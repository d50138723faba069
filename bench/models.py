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


def _catalog(*words: str) -> str:
    done = subprocess.run(
        python("worker.catalog", *words), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]
