"""A model brought from other machines of the pool, where they give it; else from where it usually comes."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from shared.errors import Refused
from shared.supply import Supply
from worker.peer.failure import PeersGone, Untrue
from worker.peer.take import take

from .ensure import bring, create, pool_partial_of
from .folders import folder_of, models_folders
from .progress import Progress
from .resolve import Resolved, resolve

# As a folder's name it leads nowhere else; a hub's id has one owner before it.
_QUEUE = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?", re.ASCII)


def read_supply(stream: BinaryIO) -> Supply:
    """Read which machines give a model: JSON, since tokens do not belong among the arguments.

    Raises:
        Refused: it is none.

    """
    try:
        supply = msgspec.json.decode(stream.read(), type=Supply)
    except msgspec.DecodeError as error:
        raise Refused("invalid_json", f"What stdin says of the pool's machines can't be read: {error}") from error
    if not _QUEUE.fullmatch(supply.queue):
        raise Refused("invalid_value", f"{supply.queue!r} can't be a folder's name.", param="queue")
    return supply


def bring_supplied(
    name: str, supply: Supply, progress: Progress, *, env: Mapping[str, str] = os.environ
) -> tuple[Resolved, Path]:
    """Give the model of this name, with its folder: brought from the pool where it is missing and given there.

    A name that nothing here knows is the pool's own; its folder lies among the models then, under that name.

    Raises:
        Refused: there is no such model, or it can't be had from anywhere.
        Fault: the disk is full, or a machine of the pool gave something else than what the pool knows.

    """
    folders = models_folders(env)
    own = Resolved(supply.queue, folders[0] / folder_of(supply.queue))
    try:
        model = resolve(name, models_dirs=folders, env=env)
    except Refused as unknown:
        if name != supply.queue:
            raise
        usual, model = unknown, own
    else:
        usual = None
        if model.source is None or model.adapter is not None:  # of a base, nothing is given under this name
            return model, bring(model, progress, env=env)
    if model.queue != supply.queue:
        raise Refused("invalid_value", f"{name} is {model.queue}, and stdin names {supply.queue}.", param="model")
    try:
        return model, _taken(model.folder, supply, progress)
    except PeersGone as gone:
        if usual is not None:
            raise Refused("model_not_found", f"{gone.message}. {usual.message}", param="model") from gone
        progress(f"{gone.message}; from elsewhere, then", None)
    folder = bring(model, progress, env=env)
    shutil.rmtree(pool_partial_of(folder), ignore_errors=True)
    return model, folder


def _taken(folder: Path, supply: Supply, progress: Progress) -> Path:
    def fill(partial: Path) -> None:
        try:
            take(supply, partial, progress)
        except Untrue as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise Untrue(
                f"{error.message}. Nothing of it was kept; `mlx-pool join --no-peers` takes it from elsewhere."
            ) from error

    return create(folder, fill, progress, resumes=True, partial=pool_partial_of(folder))
