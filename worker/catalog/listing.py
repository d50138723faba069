"""The list of models for people and programs: what has a name here, what is on this machine, and what fits it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from .entries import Catalogue
from .fit import Fit, fits
from .folders import model_folders_in, queue_of
from .resolve import resolve


class Row(msgspec.Struct, frozen=True):
    """One model in the list: of the catalogue, or a folder that was put there."""

    name: str
    about: str
    present: bool
    path: str
    disk_mb: int | None = None
    memory_mb: int | None = None
    context_tokens: int | None = None
    licence: str | None = None
    fit: Fit | None = None
    is_default: bool = False


def rows(catalogue: Catalogue, models_dirs: Sequence[Path], *, memory_mb: int | None) -> list[Row]:
    """List the catalogue's models, then the other folders that lie in `models_dirs`."""
    listed = [_row(catalogue, name.name, models_dirs, memory_mb) for name in catalogue.models]
    known = {row.path for row in listed if row.present}
    others = [path for path in model_folders_in(models_dirs) if str(path) not in known]
    return listed + [Row(queue_of(path), "a folder of yours", present=True, path=str(path)) for path in others]


def _row(catalogue: Catalogue, name: str, models_dirs: Sequence[Path], memory_mb: int | None) -> Row:
    entry = catalogue.entry(name)
    assert entry, "rows are made of the catalogue's own names"
    model = resolve(name, models_dirs=models_dirs, env={}, catalogue=catalogue)
    return Row(
        name,
        entry.about,
        present=model.source is None,
        path=str(model.folder),
        disk_mb=entry.disk_mb,
        memory_mb=entry.memory_mb,
        context_tokens=entry.context_tokens,
        licence=entry.licence,
        fit=fits(entry.memory_mb, memory_mb=memory_mb),
        is_default=name == catalogue.default,
    )


def table(listed: Sequence[Row]) -> str:
    """Draw the list as text, one line a model."""
    width = max(len(row.name) for row in listed)
    return "\n".join(_line(row, width) for row in listed)


def _line(row: Row, width: int) -> str:
    mark = "●" if row.present else "○"
    return f"{mark} {row.name:<{width}}  {_size(row.disk_mb):>8}  {row.fit or '':<9}  {row.about}".rstrip()


def _size(disk_mb: int | None) -> str:
    if disk_mb is None:
        return ""
    return f"{disk_mb / 1000:.1f} GB" if disk_mb >= 1000 else f"{disk_mb} MB"
