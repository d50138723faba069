"""The command `mlx-pool top`: the pool live, until `q` or Ctrl-C; where no terminal is, once."""

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.live import Live

from mlx_pool.arguments import RedisFlag, call
from mlx_pool.asking import ask
from mlx_pool.status import as_json_text
from mlx_pool.where import redis_url
from shared.connection import Broker
from shared.errors import Fault
from shared.pool import Pool
from shared.survey import Survey

from .keyboard import Keyboard
from .picture import picture

_EVERY_S: Final = 1.0
_PLAIN_WIDTH: Final = 160  # of what is printed where no terminal tells its own


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(top, argv, name="top")


def top(
    *,
    redis: RedisFlag = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="Once, as JSON, for programs.")] = False,
) -> int:
    """Show workers with their seats, and queues, live; q leaves. Where no terminal is, it is shown once."""
    address = redis_url(redis, os.environ)
    if sys.stdout.isatty() and sys.stdin.isatty() and not as_json:
        with contextlib.suppress(KeyboardInterrupt):
            ask(address, _live, name="top")
        return 0
    surveys = ask(address, surveys_of, name="top")
    if as_json:
        sys.stdout.write(as_json_text(surveys))
    else:
        Console(width=_PLAIN_WIDTH, highlight=False).print(picture(surveys))
    return 0


async def surveys_of(client: Broker) -> list[Survey]:
    """Ask every queue."""
    pool = Pool(client)
    return [await pool.queue(model).survey() for model in sorted(await pool.models())]


async def _live(client: Broker) -> None:
    surveys, trouble = await surveys_of(client), ""  # what is wrong from the start ends the command, in one line
    keyboard = Keyboard()
    live = Live(picture(surveys), screen=True, auto_refresh=False)
    with keyboard.listened_to(sys.stdin), live:
        while not await keyboard.is_left(_EVERY_S):
            try:
                surveys, trouble = await surveys_of(client), ""
            except Fault as fault:
                trouble = fault.message
            live.update(picture(surveys, trouble=trouble), refresh=True)
