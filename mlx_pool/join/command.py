"""The command `mlx-pool join`: from an address to a worker that serves, told step by step."""

import os
import socket
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from mlx_pool.arguments import call
from mlx_pool.asking import ask
from mlx_pool.failure import Failed, Unusable
from mlx_pool.part import Engine, require
from mlx_pool.terminal import clean
from mlx_pool.up.screen import Screen, choose_screen
from shared.errors import Fault
from shared.identity import host_name

from . import words
from .address import address_from, shown
from .choice import Wish, chosen_model, watched_queue, worker_flags
from .course import Settled, run_for_good, run_here
from .fit import Room, fits, room_of
from .pool import Seen, look
from .reach import in_words, knock_at

_OnDemand = Annotated[
    str | None,
    Parameter(help="A,B,…: more models, each loaded when a job waits for it; A=12 says that it needs 12 GiB."),
]
_ModelsMemory = Annotated[
    float | None, Parameter(help="GiB that models on demand may fill together. [default: 3/4 of the memory]")
]
_Address = Annotated[
    str | None,
    Parameter(help="redis://:PASSWORD@HOST:PORT, the line of `up --host`. [default: MLX_POOL_REDIS_URL, else it asks]"),
]


def run(argv: Sequence[str]) -> int:
    """Run the command; the address is in the environment by now."""
    return call(join, argv, name="join")


def join(
    address: _Address = None,
    /,
    *,
    model: Annotated[
        str | None, Parameter(help="A name, a folder or a Hugging Face id. [default: the one that the pool serves]")
    ] = None,
    on_demand: _OnDemand = None,
    engine: Annotated[Engine, Parameter(help="What generates: mlx, or scripted, which needs no model.")] = "mlx",
    slots: Annotated[int | None, Parameter(help="Jobs at once.")] = None,
    memory_limit_gb: Annotated[float | None, Parameter(help="GiB that the engine may have.")] = None,
    models_memory_gb: _ModelsMemory = None,
    name: Annotated[str | None, Parameter(help="This machine's name in the pool. [default: its host name]")] = None,
    stay: Annotated[
        bool, Parameter(negative="", help="Make it a service, which is there after a restart, and return.")
    ] = False,
    wait_s: Annotated[float, Parameter(name="--wait-s", help="With --stay: how long to wait until it serves.")] = 60.0,
    dry_run: Annotated[bool, Parameter(negative="", help="Only tell what would be done.")] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="One JSON object when it serves, for programs.")
    ] = False,
) -> int:
    """Have this machine serve a pool: looks at the pool, fetches the model, runs a worker until Ctrl-C.

    The address with its password goes to the worker by its environment; it is in no list of processes.
    """
    if address is not None:
        raise Unusable(
            "That is no address of a pool: it begins with redis:// or rediss://; see `mlx-pool join --help`."
        )
    began = time.monotonic()
    url = address_from(os.environ)
    if engine == "mlx":
        require("mlx")
    wish = Wish(
        model=model,
        on_demand=on_demand,
        engine=engine,
        slots=slots,
        memory_limit_gb=memory_limit_gb,
        models_memory_gb=models_memory_gb,
        name=name,
    )
    screen = choose_screen()
    settled = _settle(url, wish, screen, began)
    if dry_run:
        return 0
    return (
        run_for_good(settled, screen, wait_s, as_json=as_json) if stay else run_here(settled, screen, as_json=as_json)
    )


def _settle(url: str, wish: Wish, screen: Screen, began: float) -> Settled:
    """Look at the pool and at this machine, and say what is going to be done."""
    with Console(stderr=True).status(f"looking at the pool at {clean(shown(url))}"):
        seen = _seen(url, wish)
    model = chosen_model(wish, seen, fits)
    room = _room(model, seen) if model is not None and wish.engine == "mlx" else None
    queue = watched_queue(wish, model, room.queue if room else None)
    warnings = list(words.warnings_of(seen, version("mlx-pool")))
    for line in (words.about_pool(shown(url), queue, seen), *(f"warning: {each}" for each in warnings)):
        screen.say(line)
    if room is not None:
        _check_room(room, screen)
    host = host_name(wish.name or socket.gethostname())
    screen.say(f"this machine, {host}, is to serve it with mlx-pool {version('mlx-pool')}, engine {wish.engine}")
    return Settled(
        url=url,
        host=host,
        queue=queue,
        flags=worker_flags(wish, model),
        fetched=model if room is not None and not room.present else None,
        warnings=warnings,
        before=frozenset(view.id for survey in seen.surveys for view in survey.workers),
        began=began,
    )


def _seen(url: str, wish: Wish) -> Seen:
    asked = watched_queue(wish, wish.model) or None
    try:
        return ask(url, partial(look, asked=asked), name="join")
    except Fault as fault:
        knock = knock_at(url)
        said = None if knock is None else in_words(knock, sys.platform)
        raise Failed(said or fault.message) from fault


def _room(model: str, seen: Seen) -> Room:
    try:
        return room_of(model)
    except Unusable as error:
        raise Unusable(words.unknown_here(model)) if seen.survey(model) else error from None


def _check_room(room: Room, screen: Screen) -> None:
    if room.is_too_large:
        raise Unusable(words.too_large(room))
    screen.say(words.about_model(room))
