"""Taking a model from other machines: piece by piece, from several at once, each piece checked before it counts."""

import os
from collections.abc import Sequence
from pathlib import Path

from shared.errors import Refused
from shared.supply import Supply
from worker.catalog.progress import Progress
from worker.engine.load.fingerprint import fingerprint
from worker.engine.load.folder import read_folder

from .failure import PeersGone, Untrue
from .haul import Haul
from .manifest import Manifest, read_manifest
from .source import Broken, Giver

_MAX_AT_ONCE = 4


def take(supply: Supply, into: Path, progress: Progress) -> None:
    """Fill the folder with the model; blocks until it is whole.

    Raises:
        Untrue: a machine gave something else than the pool knows; the message names it.
        PeersGone: nobody gives it now; what came is left in the folder, for the next time.
        Fault: the disk has no room.
        OSError: the folder can't be written.

    """
    givers = [Giver(source, supply) for source in supply.sources[:_MAX_AT_ONCE]]
    try:
        manifest, givers = _agreed(supply, givers)
        Haul(supply.queue, manifest, into, progress).run(givers)
    finally:
        for giver in givers:
            giver.close()
    _settle(into, manifest)
    try:
        found = fingerprint(read_folder(into))
    except Refused as error:
        raise Untrue(f"what {_names(givers)} gave as {supply.queue} is no model: {error.message}") from error
    if found != supply.fingerprint:
        raise Untrue(f"{_names(givers)} gave other weights than the pool serves under the name {supply.queue}")


def _agreed(supply: Supply, givers: Sequence[Giver]) -> tuple[Manifest, list[Giver]]:
    """Read the manifest from the first machine that has it; those before, that have not, are left out."""
    failures: list[str] = []
    for at, giver in enumerate(givers):
        try:
            manifest = read_manifest(giver.manifest(), supply)
        except Broken as error:
            failures.append(f"{giver.id}: {error}")
        except Untrue as error:
            raise Untrue(f"{giver.id} is not to be trusted with {supply.queue}: {error.message}") from error
        else:
            return manifest, list(givers[at:])
    raise PeersGone(f"no machine of the pool gives {supply.queue} now ({'; '.join(failures)})")


def _settle(into: Path, manifest: Manifest) -> None:
    """Have the disk keep it before it gets its name: after a loss of power a whole model would be half of one."""
    for file in manifest.files:
        descriptor = os.open(into / file.name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _names(givers: Sequence[Giver]) -> str:
    return ", ".join(giver.id for giver in givers)
