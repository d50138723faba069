"""What files and batches are called: `file-<tag>` for an upload, `file-<tag>-output` for what a batch gave."""

import re
from typing import NamedTuple

from shared.bulk_file import Part

_FILE = re.compile(r"file-([0-9a-f]{32})(?:-(output|errors))?")
_BATCH = re.compile(r"batch_([0-9a-f]{32})")


class FileName(NamedTuple):
    """A file by its tag, and which of those under it."""

    tag: str
    part: Part


def read_file_name(name: str) -> FileName | None:
    """The file that is meant; None where it can be nobody's name."""
    found = _FILE.fullmatch(name)
    if not found:
        return None
    part: Part = "output" if found.group(2) == "output" else "errors" if found.group(2) else "input"
    return FileName(found.group(1), part)


def read_batch_name(name: str) -> str | None:
    """The tag of the batch that is meant; None where it can be nobody's name."""
    found = _BATCH.fullmatch(name)
    return found.group(1) if found else None


def file_name(tag: str, part: Part = "input") -> str:
    """A file's name."""
    return f"file-{tag}" if part == "input" else f"file-{tag}-{part}"


def batch_name(tag: str) -> str:
    """A batch's name."""
    return f"batch_{tag}"
