"""The list of models drawn as text: one line a model, and below it what the figures mean."""

from collections.abc import Sequence
from pathlib import Path

from .fit import Machine
from .listing import Row

_HEADINGS = ("  NAME", "FAMILY", "DISK", "MEMORY", "+1K TOKENS", "FITS", "WHERE, OR WHAT IT IS")
_IS_NUMBER = (False, False, True, True, True, False, False)


def table(listed: Sequence[Row], machine: Machine, *, home: Path) -> str:
    """Draw the list."""
    lines = [_HEADINGS, *(_cells(row, home) for row in listed)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    return "\n".join([*(_line(cells, widths) for cells in lines), "", _legend(machine)])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        f"{cell:>{width}}" if is_number else f"{cell:<{width}}"
        for cell, width, is_number in zip(cells, widths, _IS_NUMBER, strict=True)
    ]
    return "  ".join(padded).rstrip()


def _cells(row: Row, home: Path) -> tuple[str, ...]:
    mark = "●" if row.present else "○"
    family = row.family or (f"adapter of {row.base}" if row.base else "")
    place = row.path.replace(f"{home}/", "~/", 1) if row.path.startswith(f"{home}/") else row.path
    where = place if row.present else row.about
    return (
        f"{mark} {row.name}",
        family,
        _size(row.disk_mb),
        _size(row.memory_mb),
        _size(row.kv_mb),
        row.fit or "",
        where,
    )


def _legend(machine: Machine) -> str:
    has = f"{_size(machine.memory_mb) or 'unknown'} of memory, {_size(machine.disk_mb) or 'unknown'} free on disk"
    return f"● is on this machine, which has {has}. MEMORY: weights and some context, on a GPU; a Linux CPU takes more."


def _size(mb: int | None) -> str:
    if mb is None:
        return ""
    return f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb} MB"
