"""What models need of this machine, as the catalogue tells: a process of its own, since it may import much."""

import subprocess
from typing import Final

import msgspec

from mlx_pool.failure import CommandError, Failed, Unusable
from mlx_pool.part import part_argv
from shared.supply import Supply

_WITHIN_S: Final = 20.0
_VOICE: Final = "mlx-pool models: "
_MB: Final = 1_000_000


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A model's need, in MB where it is known. `queue` is the name under which it is asked for."""

    queue: str
    present: bool
    memory_mb: int | None = None
    possible_mb: int | None = None  # of all models, on this machine

    @property
    def is_too_large(self) -> bool:
        """Whether it can't be served here."""
        return self.memory_mb is not None and self.possible_mb is not None and self.memory_mb > self.possible_mb


class _Row(msgspec.Struct, frozen=True):
    name: str
    fit: str | None = None


def room_of(name: str) -> Room:
    """Tell what this model needs, and whether it is here; nothing is fetched.

    Raises:
        CommandError: there is no such model, or it can't be told.

    """
    ended = _catalogue("needs", "--json", "--", name)
    if ended.returncode:
        raise failure(ended.returncode, ended.stderr)
    return msgspec.json.decode(ended.stdout, type=Room)


def room_of_supply(supply: Supply) -> Room:
    """Tell it of a model that only the pool has; its weights are all that is known of it."""
    return Room(queue=supply.queue, present=False, memory_mb=-(-supply.bytes // _MB))


def fits() -> dict[str, str]:
    """Tell of each model of the catalogue how it fits this machine, in a word or two; nothing where that is unknown."""
    ended = _catalogue("list", "--json")
    try:
        rows = msgspec.json.decode(ended.stdout, type=list[_Row])
    except msgspec.DecodeError:
        return {}
    return {row.name: row.fit for row in rows if row.fit}


def failure(code: int, said: str) -> CommandError:
    """Make the catalogue's last words our own."""
    lines = said.strip().splitlines()
    words = lines[-1].removeprefix(_VOICE) if lines else "The list of models does not answer."
    return Unusable(words) if code == 2 else Failed(words)


def _catalogue(*argv: str) -> subprocess.CompletedProcess[str]:
    command = part_argv("worker.catalog", argv)
    try:
        return subprocess.run(  # noqa: S603 -- our own interpreter and module
            command, capture_output=True, text=True, check=False, timeout=_WITHIN_S, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise Failed("The list of models does not answer.") from error
