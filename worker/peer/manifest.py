"""A model's manifest: its files, and the SHA-256 of each of their pieces. What a stranger sends is checked here."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from shared.supply import Supply

from .failure import Untrue

# A piece is what is asked for, checked, and asked for again from another machine.
PIECE_BYTES = 64 << 20
MAX_MANIFEST_BYTES = 16 << 20  # of a terabyte's pieces it is a fifth
_MAX_FILES = 4_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_ENDINGS = {".safetensors", ".json", ".jinja", ".txt", ".tiktoken"}  # weights, configuration and tokenizer: never code
_NAMES = {"tokenizer.model"}
_DIGEST = re.compile(r"[0-9a-f]{64}")


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file; `pieces` are the SHA-256 of each `PIECE_BYTES` of it, the last one's of what is left."""

    name: str
    size: int
    pieces: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All files of a model folder, by their names."""

    queue: str
    files: tuple[File, ...]

    @property
    def bytes(self) -> int:
        """Their size."""
        return sum(file.size for file in self.files)


def is_given(name: str) -> bool:
    """Tell whether a file of this name is a part of a model: a plain name, and no code."""
    return bool(_NAME.fullmatch(name)) and (name in _NAMES or PurePosixPath(name).suffix in _ENDINGS)


def pieces_in(size: int) -> int:
    """Count the pieces of a file of this size."""
    return -(-size // PIECE_BYTES)


def encode(manifest: Manifest) -> tuple[bytes, str]:
    """Give the manifest as it is sent, and its SHA-256."""
    data = msgspec.json.encode(manifest)
    return data, hashlib.sha256(data).hexdigest()


def read_manifest(data: bytes, supply: Supply) -> Manifest:
    """Read what a peer sent as the manifest of this supply.

    Raises:
        Untrue: it is another one, or one that nobody may follow: a name that leads out of the folder, sizes that do not
            fit, no model.

    """
    if hashlib.sha256(data).hexdigest() != supply.digest:
        raise Untrue("its list of files is not the one that the pool knows")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise Untrue(f"its list of files can't be read: {error}") from error
    if (manifest.queue, manifest.bytes) != (supply.queue, supply.bytes):
        raise Untrue("its list of files is of another model, or of another size")
    if wrong := _wrong_with(manifest.files):
        raise Untrue(wrong)
    return manifest


def _wrong_with(files: Sequence[File]) -> str | None:
    names = [file.name for file in files]
    if strange := next((name for name in names if not is_given(name)), None):
        return f"its list of files names {strange[:80]!r}, which is no file of a model"
    if len({name.casefold() for name in names}) != len(names) or len(names) > _MAX_FILES:
        return "its list of files names one twice, or too many"
    if "config.json" not in names:
        return "its list of files is that of no model"
    if any(file.size < 0 or len(file.pieces) != pieces_in(file.size) for file in files):
        return "its list of files tells sizes that can't be"
    if not all(_DIGEST.fullmatch(piece) for file in files for piece in file.pieces):
        return "its list of files tells checksums that are none"
    return None
