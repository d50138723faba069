"""What a model needs of this machine, before it is fetched or loaded, and what this machine has for models."""

import msgspec

from .entries import read_catalogue
from .fit import machine_memory_mb, possible_mb
from .needs import read_needs
from .resolve import Resolved


class Room(msgspec.Struct, frozen=True):
    """A model's needs in MB, None where they are not known; `possible_mb` is what models may fill here in all."""

    queue: str
    path: str
    adapter: str | None
    present: bool
    memory_mb: int | None
    possible_mb: int | None

    def in_words(self) -> str:
        """One line for people."""
        needed = "not known" if self.memory_mb is None else f"{self.memory_mb} MB"
        here = "here" if self.present else "not fetched yet"
        return f"{self.queue}: {needed} ({here})"


def room_of(model: Resolved) -> Room:
    """Tell it of a resolved model: by its files where they are here, else as the catalogue has it."""
    entry = read_catalogue().entry(model.queue)
    is_present = model.source is None
    if is_present:
        memory_mb = read_needs(model.folder).memory_mb + (read_needs(model.adapter).disk_mb if model.adapter else 0)
    else:
        memory_mb = entry.memory_mb if entry else None
    return Room(
        queue=model.queue,
        path=str(model.folder),
        adapter=str(model.adapter) if model.adapter else None,
        present=is_present,
        memory_mb=memory_mb,
        possible_mb=possible_mb(machine_memory_mb()),
    )
