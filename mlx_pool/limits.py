"""The command `mlx-pool limits`: what every producer of a queue is bounded by."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from shared.connection import connect
from shared.limits import Limits, read_limits, write_limits
from shared.pool import Pool

from .arguments import JsonFlag, RedisFlag, call
from .failure import Unusable
from .queue_choice import choose_model
from .table import table
from .where import redis_url


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(limits, argv, name="limits")


def limits(
    *changes: Annotated[str, Parameter(help="name=value, as in waiting=2000; none: only show.")],
    model: Annotated[str | None, Parameter(help="Whose queue. [default: the only one]")] = None,
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Show a queue's limits, or set some. Gateways and scripts obey them from the next job on."""
    in_force = asyncio.run(_limits(redis_url(redis, os.environ), model, parse_changes(changes)))
    told = msgspec.structs.asdict(in_force)
    rows = [(name, str(value)) for name, value in told.items()]
    sys.stdout.write((msgspec.json.encode(told).decode() if as_json else table(("LIMIT", "VALUE"), rows)) + "\n")
    return 0


def parse_changes(words: Sequence[str]) -> dict[str, int]:
    """Read `name=value` words.

    Raises:
        Unusable: a word is not one.

    """
    changes: dict[str, int] = {}
    for word in words:
        name, has_value, value = word.partition("=")
        if not has_value or not value.isdecimal():
            raise Unusable(f"{word}: expected NAME=NUMBER, as in waiting=2000.")
        changes[name] = int(value)
    return changes


async def _limits(url: str, model: str | None, changes: Mapping[str, int]) -> Limits:
    client = connect(url, name="limits")
    try:
        chosen = choose_model(model, await Pool(client).models())
        await write_limits(client, chosen, dict(changes))
        return await read_limits(client, chosen)
    except ValueError as error:
        raise Unusable(str(error)) from error
    finally:
        await client.aclose()
