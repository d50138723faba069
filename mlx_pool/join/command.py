"""The command `mlx-pool join`: from an address to a worker that serves, told step by step."""

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version

from rich.console import Console

from mlx_pool.arguments import EngineFlag, OnDemandFlag, call
from mlx_pool.asking import ask
from mlx_pool.failure import Failed, Unusable
from mlx_pool.own_name import own_name
from mlx_pool.part import require
from mlx_pool.terminal import clean
from mlx_pool.up.screen import Screen, choose_screen
from shared.errors import Fault
from shared.supply import Supply

from . import flags, words
from .address import shown
from .choice import Wish, chosen_model, watched_queue, worker_flags
from .course import Settled, run_for_good, run_here
from .fit import Room, fits, room_of, room_of_supply
from .found import pool_address, with_password
from .neighbours import supply_in
from .pool import Seen, look
from .reach import in_words, knock_at


def run(argv: Sequence[str]) -> int:
    """Run the command; the address is in the environment by now."""
    return call(join, argv, name="join")


def join(
    address: flags.Address = None,
    /,
    *,
    model: flags.Model = None,
    on_demand: OnDemandFlag = None,
    found: flags.Found = None,
    engine: EngineFlag = "mlx",
    slots: flags.Slots = None,
    memory_limit_gb: flags.MemoryLimit = None,
    models_memory_gb: flags.ModelsMemory = None,
    name: flags.Name = None,
    share_models: flags.ShareModels = None,
    peers: flags.Peers = True,
    stay: flags.Stay = False,
    wait_s: flags.WaitS = 60.0,
    dry_run: flags.DryRun = False,
    as_json: flags.AsJson = False,
) -> int:
    """Have this machine serve a pool: looks at the pool, fetches the model, runs a worker until Ctrl-C.

    The address with its password goes to the worker by its environment; it is in no list of processes.
    """
    if address is not None:
        raise Unusable(
            "That is no address of a pool: it begins with redis:// or rediss://; see `mlx-pool join --help`."
        )
    began = time.monotonic()
    screen = choose_screen()
    url = with_password(pool_address(found, os.environ, screen.say), os.environ)
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
        share_models=share_models,
        asks_peers=peers,
    )
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
    room, supply = _room(model, seen, url, wish) if model is not None and wish.engine == "mlx" else (None, None)
    queue = watched_queue(wish, model, room.queue if room else None)
    warnings = list(words.warnings_of(seen, version("mlx-pool")))
    for line in (words.about_pool(shown(url), queue, seen), *(f"warning: {each}" for each in warnings)):
        screen.say(line)
    if room is not None:
        _check_room(room, supply, screen)
    host = own_name(os.environ, wish.name)
    screen.say(f"this machine, {host}, is to serve it with mlx-pool {version('mlx-pool')}, engine {wish.engine}")
    return Settled(
        url=url,
        host=host,
        queue=queue,
        flags=worker_flags(wish, model),
        fetched=model if room is not None and not room.present else None,
        supply=supply,
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


def _room(model: str, seen: Seen, url: str, wish: Wish) -> tuple[Room, Supply | None]:
    """Tell what the model needs, and who in the pool gives it, where it is not here."""
    try:
        room = room_of(model)
    except Unusable as error:
        supply = supply_in(url, model) if wish.asks_peers else None
        if supply is None:
            raise Unusable(words.unknown_here(model)) if seen.survey(model) else error from None
        return room_of_supply(supply), supply
    return room, supply_in(url, room.queue) if wish.asks_peers and not room.present else None


def _check_room(room: Room, supply: Supply | None, screen: Screen) -> None:
    if room.is_too_large:
        raise Unusable(words.too_large(room))
    screen.say(words.about_model(room, supply))
