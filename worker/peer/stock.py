"""A model folder as it is given to others: its manifest, and where each of its files lies."""

from pathlib import Path

import msgspec

from worker.catalog.folders import folder_of
from worker.engine.load.fingerprint import fingerprint
from worker.engine.load.folder import read_folder

from .checksums import Checksums
from .manifest import File, Manifest, encode, is_given


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One model that is given away: the manifest as it is sent, its digest, and the files in the manifest's order."""

    queue: str
    manifest: bytes
    digest: str
    bytes: int
    fingerprint: str
    paths: tuple[Path, ...]


def given(queue: str, folder: Path, notes: Path) -> Given:
    """Read what of this folder is given away; blocks while checksums are computed, which `notes` keeps.

    Raises:
        Refused: it is no model folder.
        OSError: a file can't be read.

    """
    weights = fingerprint(read_folder(folder))
    checksums = Checksums(notes / f"{folder_of(queue)}.json")
    paths = sorted(path for path in folder.iterdir() if is_given(path.name) and path.is_file())
    files = tuple(File(path.name, path.stat().st_size, checksums.pieces_of(path)) for path in paths)
    checksums.keep()
    manifest = Manifest(queue, files)
    data, digest = encode(manifest)
    return Given(
        queue=queue, manifest=data, digest=digest, bytes=manifest.bytes, fingerprint=weights, paths=tuple(paths)
    )
