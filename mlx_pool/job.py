"""The command `mlx-pool job`: a job's life as a timeline, as Redis knows it. Prompt and answer are not shown."""

import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from shared.connection import Broker
from shared.life import Life, Step, What, life_of
from shared.pool import Pool

from .arguments import JsonFlag, RedisFlag, call
from .asking import ask
from .terminal import clean
from .where import redis_url

_WORDS: Final[dict[What, str]] = {
    "queued": "queued",
    "claimed": "claimed",
    "started": "prefill",
    "first_token": "first token, about",
    "given_back": "handed over",
    "done": "done",
    "error": "error",
    "cancelled": "cancelled",
}


class Told(msgspec.Struct, frozen=True):
    """A job's life, and how many jobs are served before it, where it waits."""

    life: Life
    before: int | None


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(job, argv, name="job")


def job(
    job_id: Annotated[str, Parameter(name="ID", help="The job's id, or the one that a client gave it.")],
    /,
    *,
    tenant: Annotated[str, Parameter(help="Whose, where a client with an API key gave the id.")] = "",
    redis: RedisFlag = None,
    as_json: JsonFlag = False,
) -> int:
    """Show a job's life as a timeline. Direct jobs are known here too; what has ended is, for ten minutes."""
    told = ask(redis_url(redis, os.environ), partial(_look, job_id=job_id, tenant=tenant), name="job")
    shown = msgspec.to_builtins(told.life) | {"before": told.before}
    sys.stdout.write(msgspec.json.encode(shown).decode() + "\n" if as_json else as_lines(told))
    return 0


async def _look(client: Broker, *, job_id: str, tenant: str) -> Told:
    life = await life_of(client, job_id, tenant=tenant)
    if life.state != "waiting":
        return Told(life, None)
    return Told(life, (await Pool(client).queue(life.model).jobs_before([life.id]))[0])


def as_lines(told: Told) -> str:
    """Draw it for a person: a line a step, with the time of day and how long after the first."""
    life = told.life
    whose = f", tenant {clean(life.tenant)}" if life.tenant else ""
    began_ms = life.steps[0].at_ms
    lines = [
        f"job {life.id}: {life.state}",
        f"{clean(life.model)}, class {clean(life.job_class)}{whose}, {life.attempts} attempt(s), {life.tokens} tokens",
        "",
        *(_line(step, began_ms) for step in life.steps),
    ]
    if told.before is not None:
        lines.append(f"{'':24}{'waits: ' + str(told.before) + ' before it' if told.before else 'waits, and is next'}")
    return "\n".join(lines) + "\n"


def _line(step: Step, began_ms: int | None) -> str:
    when = stamp(step.at_ms, began_ms, digits=2)
    worker = f" by {clean(step.worker)}" if step.worker and step.what in {"claimed", "given_back"} else ""
    attempt = f", attempt {step.attempt}" if step.what == "claimed" else ""
    note = f": {clean(step.note)}" if step.note else ""
    return f"{when} {_WORDS[step.what]}{worker}{attempt}{note}"


def stamp(at_ms: int | None, began_ms: int | None, *, digits: int) -> str:
    """Give the time of day, and how long after the beginning, as the head of a line; blank where it is not known."""
    at = "" if at_ms is None else _clock(at_ms)
    since = "" if at_ms is None or began_ms is None else f"+{max(0, at_ms - began_ms) / 1_000:.{digits}f} s"
    return f"{at:<12}{since:>11}"


def _clock(at_ms: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at_ms / 1_000)) + f".{at_ms % 1_000:03d}"
