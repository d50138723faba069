"""Which model this machine is to serve, and as what: decided on what was asked for and what the pool serves."""

from collections.abc import Callable, Mapping

import msgspec

from mlx_pool.failure import Unusable
from mlx_pool.part import Engine
from mlx_pool.terminal import clean
from mlx_pool.up.plan import queue_name

from .pool import Seen


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for. `name` is this machine's in the pool."""

    model: str | None = None
    on_demand: str | None = None
    engine: Engine = "mlx"
    slots: int | None = None
    memory_limit_gb: float | None = None
    models_memory_gb: float | None = None
    name: str | None = None
    share_models: str | None = None
    asks_peers: bool = True


def chosen_model(wish: Wish, seen: Seen, fits: Callable[[], Mapping[str, str]]) -> str | None:
    """Choose the model to load from the start: the one asked for, else the only one that is served.

    None where models are only loaded on demand. `fits` is asked only where the person has to choose.

    Raises:
        Unusable: it has to be said which one.

    """
    if wish.model or wish.on_demand:
        return wish.model
    if seen.models is None:
        raise Unusable("This user of Redis may not see what the pool serves: say which model, with --model NAME.")
    known = seen.served or sorted(seen.models)
    if not known:
        raise Unusable(
            "The pool has served no model yet: say which this machine is to serve, with --model NAME; `mlx-pool models "
            "list` shows what fits it."
        )
    if len(known) > 1:
        told = fits() if wish.engine == "mlx" else dict[str, str]()
        raise Unusable(f"Which model? Say it with --model: {', '.join(_with_fit(name, told) for name in known)}.")
    return known[0]


def watched_queue(wish: Wish, model: str | None, queue: str | None = None) -> str:
    """Give the queue in which this machine's worker will be seen; `queue` is the model's, where that is known."""
    if model is not None:
        return queue or queue_name(model)
    first = (wish.on_demand or "").split(",")[0]
    return queue_name(first.strip().partition("=")[0])


def worker_flags(wish: Wish, model: str | None) -> tuple[str, ...]:
    """Give the worker's own flags; the address is not among them."""
    given = {
        "--model": model,
        "--on-demand": wish.on_demand,
        "--engine": None if wish.engine == "mlx" else wish.engine,
        "--slots": wish.slots,
        "--memory-limit-gb": wish.memory_limit_gb,
        "--models-memory-gb": wish.models_memory_gb,
        "--name": wish.name,
        "--share-models": wish.share_models,
    }
    return tuple(word for flag, value in given.items() if value is not None for word in (flag, str(value)))


def _with_fit(name: str, told: Mapping[str, str]) -> str:
    fit = told.get(name)
    if fit is None:
        return clean(name)
    words = {"fits": "fits this machine", "tight": "a tight fit here", "disk full": "no room on this disk"}
    return f"{clean(name)} ({words.get(fit, f'{fit} for this machine')})"
