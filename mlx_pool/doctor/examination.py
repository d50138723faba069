"""One examination: facts are gathered, those that do not need each other at the same time, and then judged."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from mlx_pool.data_folder import DataFolder
from mlx_pool.up.address import in_url
from mlx_pool.where import Gateway
from shared.connection import Broker, connect, is_wrong_password
from shared.errors import PoolError
from shared.pool import Pool
from shared.survey import Survey

from .ask_doors import ask_doors
from .ask_machine import ask_machine
from .ask_server import ask_server
from .crew import judge_crew
from .exposure import Exposure, judge_exposure
from .finding import Finding, bad
from .machine import Machine, judge_machine
from .redis_url import host_and_port
from .server import Server, judge_server

_START: Final = "`mlx-pool up` starts one on this machine."
_IS_IT_THERE: Final = f"Is it running, and is the address right? {_START}"
_WHERE_IT_STANDS: Final = "The right one stands in what `mlx-pool status --url` prints where the pool runs."


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look; None for what is not known."""

    redis_url: str | None
    gateway: Gateway | None
    folder: DataFolder
    version: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was gathered; in place of a server that told nothing stands why."""

    server: Server | Finding
    surveys: list[Survey]
    exposure: Exposure
    machine: Machine


async def examine(place: Place, env: Mapping[str, str]) -> list[Finding]:
    """Gather and judge."""
    return judged(await _gathered(place, env), place.version)


def judged(facts: Facts, version: str) -> list[Finding]:
    """Judge all facts; in the order in which one would look: Redis, doors, queues and workers, this machine."""
    if isinstance(facts.server, Finding):
        pool = [facts.server]
        crew = list[Finding]()
    else:
        pool = list(judge_server(facts.server))
        crew = list(judge_crew(facts.surveys, version))
    return [*pool, *judge_exposure(facts.exposure), *crew, *judge_machine(facts.machine, facts.surveys)]


async def _gathered(place: Place, env: Mapping[str, str]) -> Facts:
    client = connect(place.redis_url, name="doctor") if place.redis_url else None
    doors = asyncio.to_thread(ask_doors, place.gateway, place.redis_url, place.folder, env)
    exposure, (server, surveys) = await asyncio.gather(doors, _ask_queue(client, place.redis_url or ""))
    machine = await asyncio.to_thread(ask_machine, place.redis_url, [survey.model for survey in surveys], env)
    return Facts(server=server, surveys=surveys, exposure=exposure, machine=machine)


async def _ask_queue(client: Broker | None, url: str) -> tuple[Server | Finding, list[Survey]]:
    if client is None:
        return bad("redis", "No pool is known here: there is no `up`, no MLX_POOL_REDIS_URL, no --redis.", _START), []
    try:
        return await ask_server(client, _shown(url)), await _surveys(client)
    except PoolError as error:
        return bad("redis", error.message, _WHERE_IT_STANDS if is_wrong_password(error) else _IS_IT_THERE), []
    finally:
        await client.aclose()


async def _surveys(client: Broker) -> list[Survey]:
    pool = Pool(client)
    return [await pool.queue(model).survey() for model in sorted(await pool.models())]


def _shown(url: str) -> str:
    """An address without its password."""
    found = host_and_port(url)
    return f"{in_url(found[0])}:{found[1]}" if found else "the addresses of its URL"
