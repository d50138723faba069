"""Which models a worker serves, and what memory each of their engines may have: settled before it joins the pool."""

from collections.abc import Callable, Sequence

import msgspec

from shared.errors import Refused

from .allotment import allot, need_of, too_large
from .neighbours import supply_for
from .settings import Settings
from .weights import Found, Room, fetch, room

GIB = 1 << 30
MB = 1_000_000
# Guesses, until it was measured: Python and its libraries, a disk, a line.
START_S = {"mlx": 3.0, "scripted": 0.3}
READ_BYTES_PER_S = 1_000_000_000
FETCH_BYTES_PER_S = 20_000_000
SCRIPTED_BYTES = GIB

Progress = Callable[[str, float | None], None]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model that the worker serves; `name` is what it was asked for by."""

    name: str
    found: Found
    is_pinned: bool
    limit: int | None = None  # bytes that its engine may have; None: what the device has
    load_s: float = 0.0  # as guessed; 0: not known
    fetch_s: float = 0.0  # 0: it is here


class Roster(msgspec.Struct, frozen=True):
    """All of them, the pinned one first; `budget` is what they may fill together, in bytes."""

    models: tuple[Model, ...]
    budget: int = 0


class Asked(msgspec.Struct, frozen=True):
    """One model as the operator named it: `need` is what its engine needs, where that was said, in bytes."""

    name: str
    is_pinned: bool
    room: Room
    need: int | None = None


async def call_roll(settings: Settings, on_progress: Progress) -> Roster:
    """Settle it; a pinned model is brought here first.

    Raises:
        Refused: there is no such model, or it can never be loaded here; the message says what to do.
        Fault: the pinned one can't be fetched.

    """
    if not settings.on_demand:
        return Roster((await _the_one(settings, on_progress),))
    if settings.queue and not settings.model:
        raise Refused("invalid_value", "--queue names the queue of --model, and there is none.", param="queue")
    asked = await _asked(settings)
    if not settings.model or settings.engine == "scripted":
        return settle(asked, settings)
    if asked[0].room.memory_mb is None:  # its files will tell
        await _bring(settings, on_progress)
        asked = await _asked(settings)
    roster = settle(asked, settings)
    await _bring(settings, on_progress)
    return roster


async def _the_one(settings: Settings, on_progress: Progress) -> Model:
    """The only model of a worker; it has its share of a machine that several workers are on."""
    if settings.engine == "scripted":
        return Model(name=settings.model, found=_scripted(settings), is_pinned=True)
    found = await _bring(settings, on_progress)
    limit = None
    if settings.workers_here > 1 and settings.memory_limit_gb is None:
        possible_mb = (await room([settings.model]))[0].possible_mb
        limit = None if possible_mb is None else possible_mb * MB // settings.workers_here
    found = msgspec.structs.replace(found, queue=settings.queue or found.queue)
    return Model(name=settings.model, found=found, is_pinned=True, limit=limit)


async def _bring(settings: Settings, on_progress: Progress) -> Found:
    """Bring the pinned model here, from the pool where machines give it."""
    return await fetch(settings.model, on_progress, await supply_for(settings.model, settings.redis))


def settle(asked: Sequence[Asked], settings: Settings) -> Roster:
    """Share the memory out among them.

    Raises:
        Refused: two of one name, one that can never be loaded, or too little is known.

    """
    queues = [each.room.queue for each in asked]
    if twice := next((queue for queue in queues if queues.count(queue) > 1), None):
        raise Refused("invalid_value", f"{twice} is named twice: once is enough.", param="on_demand")
    needs = {each.room.queue: _need(each) for each in asked}
    pinned = [each.room.queue for each in asked if each.is_pinned]
    budget = _budget(asked, needs, settings)
    if large := too_large(needs, pinned, budget):
        raise _too_large(large[0], needs, pinned, budget)
    limits = allot(needs, pinned, budget)
    if settings.memory_limit_gb is not None:
        limits = {queue: min(limit, int(settings.memory_limit_gb * GIB)) for queue, limit in limits.items()}
    return Roster(tuple(_model(each, needs, limits, START_S[settings.engine]) for each in asked), budget)


def read_size(word: str) -> tuple[str, int | None]:
    """Take NAME=GIB apart; None where no size is said."""
    name, _, size = word.rpartition("=")
    try:
        need = int(float(size) * GIB)
    except (ValueError, OverflowError):
        return word, None
    return (name, need) if name and need > 0 else (word, None)


async def _asked(settings: Settings) -> list[Asked]:
    words = [read_size(word) for word in settings.on_demand]
    if settings.model:
        words.insert(0, (settings.model, None))
    names = [name for name, _ in words]
    rooms = [_made_up(name) for name in names] if settings.engine == "scripted" else await room(names)
    if settings.queue:
        rooms[0] = msgspec.structs.replace(rooms[0], queue=settings.queue)
    pinned = [bool(settings.model) and place == 0 for place in range(len(words))]
    return [
        Asked(name, is_pinned, each, need) for (name, need), is_pinned, each in zip(words, pinned, rooms, strict=True)
    ]


def _need(asked: Asked) -> int:
    if asked.need is not None:
        return asked.need
    if asked.room.memory_mb is None:
        said = f"What {asked.room.queue} needs is not known before it is here: say it, --on-demand {asked.name}=GIB."
        raise Refused("invalid_value", said, param="on_demand")
    return need_of(asked.room.memory_mb * MB) if asked.room.path else SCRIPTED_BYTES


def _budget(asked: Sequence[Asked], needs: dict[str, int], settings: Settings) -> int:
    if settings.models_memory_gb is not None:
        return int(settings.models_memory_gb * GIB)
    if settings.engine == "scripted":
        return sum(needs.values())
    possible_mb = asked[0].room.possible_mb
    if possible_mb is None:
        said = "How much memory this machine has can't be told: say what models may fill, --models-memory-gb GIB."
        raise Refused("invalid_value", said, param="models_memory_gb")
    return possible_mb * MB // settings.workers_here


def _too_large(queue: str, needs: dict[str, int], pinned: Sequence[str], budget: int) -> Refused:
    beside = f" beside {', '.join(pinned)}, which stays loaded" if pinned and queue not in pinned else ""
    said = (
        f"{queue} needs about {needs[queue] / GIB:.1f} GiB{beside}, and all models together may fill "
        f"{budget / GIB:.1f} GiB here: take a smaller one, or raise --models-memory-gb."
    )
    return Refused("does_not_fit", said, param="on_demand")


def _model(asked: Asked, needs: dict[str, int], limits: dict[str, int], start_s: float) -> Model:
    found = Found(asked.room.queue, asked.room.path, asked.room.adapter)
    need = needs[found.queue]
    return Model(
        name=asked.name,
        found=found,
        is_pinned=asked.is_pinned,
        limit=limits[found.queue],
        load_s=start_s + need / READ_BYTES_PER_S,
        fetch_s=0.0 if asked.room.present or asked.is_pinned else need / FETCH_BYTES_PER_S,
    )


def _scripted(settings: Settings) -> Found:
    return Found(settings.queue or settings.model or "scripted", "")


def _made_up(name: str) -> Room:
    return Room(name, "", None, present=True, memory_mb=0, possible_mb=None)
