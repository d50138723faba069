"""The command `mlx-pool dead`: look at dead letters, retry them, drop them."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from shared.connection import connect
from shared.dead import DeadLetter, DeadLetters
from shared.pool import Pool

from .arguments import JsonFlag, RedisFlag, call
from .failure import Unusable
from .queue_choice import choose_model
from .table import table
from .terminal import clean
from .where import redis_url

Deed = Literal["list", "show", "retry", "drop"]


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(dead, argv, name="dead")


def dead(
    deed: Annotated[Deed, Parameter(help="list, show, retry or drop.")] = "list",
    letter: Annotated[
        str | None, Parameter(help="The letter's name, as `list` shows it; `all` for retry or drop.")
    ] = None,
    *,
    model: Annotated[str | None, Parameter(help="Whose queue. [default: the only one]")] = None,
    count: Annotated[int, Parameter(help="How many `list` shows, newest first.")] = 20,
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Show jobs that were given up (poisoned, or broken beyond running), and decide on them."""
    if deed != "list" and letter is None:
        raise Unusable(f"Which one? `mlx-pool dead {deed} LETTER`; `mlx-pool dead list` shows their names.")
    shown = asyncio.run(_do(redis_url(redis, os.environ), model, deed, letter or "", count))
    sys.stdout.write(msgspec.json.encode(shown).decode() + "\n" if as_json else as_lines(deed, shown))
    return 0


async def _do(url: str, model: str | None, deed: Deed, letter: str, count: int) -> list[DeadLetter] | list[str]:
    client = connect(url, name="dead")
    try:
        letters = DeadLetters(client, choose_model(model, await Pool(client).models()))
        if deed == "list":
            return await letters.newest(count)
        if deed == "show":
            return [await letters.read(letter)]
        names = await letters.names() if letter == "all" else [letter]
        if deed == "retry":
            return [await letters.retry(name) for name in names]
        for name in names:
            await letters.drop(name)
        return names
    finally:
        await client.aclose()


def as_lines(deed: Deed, shown: Sequence[DeadLetter] | Sequence[str]) -> str:
    """Draw the outcome for a person. The body is only shown on demand: it is what somebody asked."""
    letters = [each for each in shown if isinstance(each, DeadLetter)]
    if deed == "show":
        return "".join(f"{name}: {clean(str(value))}\n" for name, value in msgspec.structs.asdict(letters[0]).items())
    if deed == "list":
        rows = [(each.letter, each.why, each.job, _when(each.at_ms), f"{len(each.body)} B") for each in letters]
        return table(("LETTER", "WHY", "JOB", "WHEN", "BODY"), rows) + "\n" if rows else "no dead letters\n"
    done = "runs again as" if deed == "retry" else "dropped"
    return "".join(f"{done} {each}\n" for each in shown)


def _when(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms / 1_000))
