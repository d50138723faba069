"""What joining tells the person, and programs: made of values."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from mlx_pool.terminal import clean
from shared.supply import Supply
from shared.survey import Survey, WorkerView

from .fit import Room
from .pool import Seen

_CLOCKS_APART_MS: Final = 2_000


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that serves, for programs."""

    worker: str
    model: str
    seats: int
    version: str
    seconds: float
    others: int  # workers of the same model, on other machines or here
    warnings: list[str] = []


def about_pool(place: str, queue: str, seen: Seen) -> str:
    """Say what the pool is that is joined."""
    survey = seen.survey(queue)
    live = survey.live_workers if survey else []
    if live:
        seats = sum(worker.slots for worker in live)
        told = f"{len(live)} worker(s) serve {clean(queue)}, with {seats} seats"
    elif survey or queue in (seen.models or ()):
        told = f"nobody serves {clean(queue)} now"
    else:
        told = f"{clean(queue)} is new to it"
    waiting = f"; {survey.waiting_total} job(s) wait" if survey and survey.waiting_total else ""
    others = [clean(name) for name in seen.served if name != queue]
    also = f" (and {', '.join(others)})" if others else ""
    return f"pool at {clean(place)}: {told}{waiting}{also}"


def about_model(room: Room, supply: Supply | None = None) -> str:
    """Say what the model needs, and what is done to have it."""
    name = clean(room.queue)
    needs = f", needs about {room.memory_mb / 1_000:.1f} GB of memory" if room.memory_mb else ""
    of = f" of the {room.possible_mb / 1_000:.0f} GB that models may have here" if needs and room.possible_mb else ""
    whence = f" from {', '.join(clean(source.id.partition('.')[0]) for source in supply.sources)}" if supply else ""
    return f"{name} {'is here' if room.present else f'will be fetched{whence}'}{needs}{of}"


def too_large(room: Room) -> str:
    """Say that it is no use to fetch it."""
    needed, possible = (room.memory_mb or 0) / 1_000, (room.possible_mb or 0) / 1_000
    return (
        f"{clean(room.queue)} needs about {needed:.1f} GB of memory, and models may have {possible:.1f} GB here: serve "
        f"a smaller one with --model, or try it all the same: `mlx-pool worker --model {clean(room.queue)}`."
    )


def unknown_here(model: str) -> str:
    """Say what to do about a model that the pool serves and this machine's list of models does not know."""
    name = clean(model)
    return (
        f"The pool serves {name}, which has no name on this machine: bring its folder here (`mlx-pool models import "
        f"PATH --name {name}`), or add --engine scripted if it is served by that."
    )


def warnings_of(seen: Seen, version: str) -> Iterator[str]:
    """Say what is no hindrance, but worth to know."""
    live = [worker for survey in seen.surveys for worker in survey.live_workers]
    if others := sorted({clean(worker.version) for worker in live if worker.version and worker.version != version}):
        yield (
            f"the pool's workers run mlx-pool {', '.join(others)}, this machine {version}: they work together; upgrade "
            "the older ones when it suits you"
        )
    if abs(seen.clock_ahead_ms) > _CLOCKS_APART_MS:
        side = "ahead of" if seen.clock_ahead_ms > 0 else "behind"
        yield (
            f"Redis's clock is {abs(seen.clock_ahead_ms) / 1_000:.0f} s {side} this machine's: jobs bear that, but "
            "turn time synchronisation on"
        )


def ready_line(view: WorkerView, seconds: float) -> str:
    """Say that it serves."""
    does = f"serves {clean(view.model)} with {view.slots} seats" if view.is_ready else f"waits for {clean(view.model)}"
    return f"ready after {seconds:.1f} s: {clean(view.id)} {does}"


def how_to_stay(flags: Sequence[str]) -> str:
    """Say how it ends, and how it would go on for good. The address is asked for again: no history keeps it."""
    again = shlex.join(("mlx-pool", "join", "--stay", *flags))
    return (
        "Ctrl-C has it finish what it runs, and leave · to have it stay, also after a restart: "
        f"`{again}` (it asks for the address, and does `mlx-pool service install worker …`)"
    )


def others_in(survey: Survey | None, me: str) -> int:
    """Count who else serves the model."""
    return sum(worker.id != me for worker in survey.live_workers) if survey else 0
