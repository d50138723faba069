"""The list of models for people and programs: what has a name here, what is on this machine, and what fits it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from shared.errors import Refused

from .adapters import base_of, is_adapter_folder
from .entries import Adapter, Catalogue, Entry, Hub
from .fit import Fit, Machine, judge
from .folders import folders_in, is_model_folder, queue_of
from .needs import read_needs
from .resolve import Resolved, resolve


class Row(msgspec.Struct, frozen=True):
    """One model in the list: of the catalogue, or a folder that was put there. MB are millions of bytes.

    `memory_mb` is that of weights and some context, `kv_mb` that of 1,000 more tokens; `base` is what an adapter
    changes.
    """

    name: str
    about: str
    present: bool
    path: str
    family: str | None = None
    base: str | None = None
    disk_mb: int | None = None
    memory_mb: int | None = None
    kv_mb: int | None = None
    context_tokens: int | None = None
    licence: str | None = None
    fit: Fit | None = None
    is_default: bool = False


def rows(catalogue: Catalogue, models_dirs: Sequence[Path], machine: Machine) -> list[Row]:
    """List the catalogue's models, then the other folders that lie in `models_dirs`."""
    listed = [_listed(entry, catalogue, models_dirs, machine) for entry in catalogue.models]
    known = {row.path for row in listed if row.present}
    models = [path for path in folders_in(models_dirs, is_model_folder) if str(path) not in known]
    adapters = [path for path in folders_in(models_dirs, is_adapter_folder) if str(path) not in known]
    return listed + [_own(path, machine) for path in models] + [_own_adapter(path) for path in adapters]


def _listed(entry: Entry, catalogue: Catalogue, models_dirs: Sequence[Path], machine: Machine) -> Row:
    model = _resolved(entry, catalogue, models_dirs)
    is_present = model is not None and model.source is None
    path = (model.adapter or model.folder) if model else None
    found = read_needs(path) if path and is_present else None
    base = entry.source.base if isinstance(entry.source, Adapter) else None
    return Row(
        entry.name,
        entry.about,
        present=is_present,
        path=str(path or _origin(entry)),
        # The folder knows better, but of an adapter's base nothing is told by the adapter.
        family=entry.family or (found.family if found and not base else None),
        base=base,
        disk_mb=found.disk_mb if found else entry.disk_mb,
        memory_mb=entry.memory_mb,
        kv_mb=entry.kv_mb,
        context_tokens=entry.context_tokens,
        licence=entry.licence,
        fit=judge(entry.memory_mb, None if is_present else entry.disk_mb, machine),
        is_default=entry.name == catalogue.default,
    )


def _resolved(entry: Entry, catalogue: Catalogue, models_dirs: Sequence[Path]) -> Resolved | None:
    """Find a model of the catalogue; None for an adapter that lacks its folder or its base."""
    try:
        return resolve(entry.name, models_dirs=models_dirs, env={}, catalogue=catalogue)
    except Refused:
        return None


def _own(path: Path, machine: Machine) -> Row:
    needs = read_needs(path)
    return Row(
        queue_of(path),
        "a folder of yours",
        present=True,
        path=str(path),
        family=needs.family,
        disk_mb=needs.disk_mb,
        memory_mb=needs.memory_mb,
        kv_mb=needs.kv_mb,
        fit=judge(needs.memory_mb, None, machine),
    )


def _own_adapter(path: Path) -> Row:
    try:
        base = base_of(path)
    except Refused:
        base = "?"
    needs = read_needs(path)
    return Row(queue_of(path), f"an adapter of {base}", present=True, path=str(path), base=base, disk_mb=needs.disk_mb)


def _origin(entry: Entry) -> str:
    match entry.source:
        case Adapter(folder=folder):
            return folder
        case Hub(id=hub_id):
            return hub_id
        case source:
            return source.package
