"""The command `mlx-pool trace`: a job followed until it ends, across machines. Prompt and answer are not shown."""

import asyncio
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from mlx_pool.arguments import RedisFlag, call
from mlx_pool.terminal import ink_for
from mlx_pool.where import redis_url
from shared.connection import connect
from shared.life import Life

from .drawn import COLOURS, head, last_line, line
from .follow import follow
from .moment import Moment, Whole


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(trace, argv, name="trace")


def trace(
    job_id: Annotated[str, Parameter(name="ID", help="The job's id, or the one that a client gave it.")],
    /,
    *,
    tenant: Annotated[str, Parameter(help="Whose, where a client with an API key gave the id.")] = "",
    redis: RedisFlag = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="", help="One object a line, for programs.")] = False,
) -> int:
    """Follow a job until it ends: each moment as it comes, at which worker, and how long what took.

    One that is over is told at once. Exit code 0 when it is done, 1 when it ended in an error or was cancelled. Ctrl-C
    ends the following, not the job.
    """
    url = redis_url(redis, os.environ)
    return 0 if asyncio.run(_trace(url, job_id, tenant, _Printer(as_json=as_json))) else 1


class _Printer:
    """Writes each line as it comes."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._ink = ink_for(sys.stdout)
        self._began_ms: int | None = None

    def begin(self, life: Life) -> None:
        """Name the job."""
        self._began_ms = life.steps[0].at_ms
        if not self._as_json:
            self._write(head(life))

    def tell(self, told: Moment | Whole) -> None:
        """Write one line."""
        if self._as_json:
            self._write(msgspec.json.encode(told).decode())
        elif isinstance(told, Whole):
            self._write(last_line(told))
        else:
            self._write(self._ink.paint(line(told, self._began_ms), COLOURS.get(told.what, "plain")))

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


async def _trace(url: str, job_id: str, tenant: str, printer: _Printer) -> bool:
    client = connect(url, name="trace")
    patient = connect(url, name="trace-log")  # its silence is shorter than a call may take
    try:
        return await follow(client, patient, job_id, tenant=tenant, teller=printer)
    finally:
        await client.aclose()
        await patient.aclose()
