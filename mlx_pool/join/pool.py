"""The pool as it stands before this machine joins: asked once, and given as values."""

import time

import msgspec

from mlx_pool.asking import if_allowed
from shared.connection import Broker, check_broker
from shared.pool import Pool
from shared.survey import Survey


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen. `models` is None where this user of Redis may not know them all, as a worker's own may not."""

    models: frozenset[str] | None
    surveys: tuple[Survey, ...] = ()
    clock_ahead_ms: float = 0.0  # Redis's, of ours

    @property
    def served(self) -> list[str]:
        """The models that somebody serves now."""
        return [survey.model for survey in self.surveys if survey.live_workers]

    def survey(self, model: str) -> Survey | None:
        """The queue of this name, if it is there and may be looked at."""
        return next((survey for survey in self.surveys if survey.model == model), None)


async def look(broker: Broker, *, asked: str | None) -> Seen:
    """Look at it.

    Raises:
        Refused: a wrong password, a server that can carry no pool.
        Fault: it does not answer.

    """
    await check_broker(broker)  # what it warns of, the worker will say
    pool = Pool(broker)
    models = await if_allowed(pool.models())
    names = ({asked} if asked else set[str]()) if models is None else models
    surveys = [await if_allowed(pool.queue(name).survey()) for name in sorted(names)]
    return Seen(
        models=models,
        surveys=tuple(survey for survey in surveys if survey is not None),
        clock_ahead_ms=await _clock_ahead_ms(broker),
    )


async def _clock_ahead_ms(broker: Broker) -> float:
    began, began_s = time.time(), time.monotonic()
    told = await if_allowed(broker.command("TIME"))
    if told is None:
        return 0.0
    seconds, micros = told
    took_ms = (time.monotonic() - began_s) * 1_000
    return (int(seconds) - began) * 1_000 + int(micros) / 1_000 - took_ms / 2
