"""`mlx-pool queue`, `job` and `drain`: their pictures by made facts, and all three on a real pool."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mlx_pool.drain import chosen
from mlx_pool.failure import Unusable
from mlx_pool.job import Told
from mlx_pool.job import as_lines as job_lines
from mlx_pool.queue import as_lines as queue_lines
from mlx_pool.queue import view_of
from shared.connection import connect
from shared.life import Life, Step
from shared.open_jobs import OpenJob
from shared.queue import State
from shared.survey import Survey, WorkerView
from tests.pool import MODEL, StartPool

from .conftest import RunCommand

Eventually = Callable[..., Awaitable[None]]


def survey(*workers: str, waiting: int = 3, running: int = 1) -> Survey:
    """A queue at the time 10,000, with these workers."""
    views = [WorkerView(id=name, model="tiny", state="ready", lease_ends_in_ms=900) for name in workers]
    return Survey(
        model="tiny", now_ms=10_000, waiting={"std": waiting}, running=running, oldest_wait_ms=4_000, workers=views,
        dead_letters=0,
    )  # fmt: skip


def job(name: str, at_ms: int, *, state: State = "waiting", tenant: str = "", job_class: str = "std") -> OpenJob:
    return OpenJob(
        id=name, state=state, job_class=job_class, tenant=tenant, attempt=1, enqueued_at_ms=at_ms, worker="mac.1.a"
    )


def test_what_waits_is_counted_by_class_and_tenant() -> None:
    """The classes in the order in which they are served, the largest tenant first."""
    jobs = [job("a", 9_000, tenant="t"), job("b", 6_000, tenant="t"), job("c", 9_500), job("d", 1, job_class="hi")]

    view = view_of(survey(), jobs)

    counted = [(each.job_class, each.tenant, each.jobs, each.oldest_wait_ms) for each in view.waits]
    assert counted == [("hi", "", 1, 9_999), ("std", "t", 2, 4_000), ("std", "", 1, 500)]


def test_a_queue_tells_who_runs_what_and_what_it_left_out() -> None:
    """A tenant's name is its own: it does not steer the terminal."""
    lines = queue_lines(view_of(survey(), [job("r", 8_000, state="running", tenant="\x1b[2J")])).splitlines()

    assert lines[0] == "tiny: 3 wait, the oldest for 4.0 s; 1 run"
    assert lines[3].split() == ["mac.1.a", "r", "std", "·[2J", "1", "2.0", "s"]
    assert lines[-1] == "and 3 more, which are not listed"


def test_a_jobs_timeline_tells_when_and_where() -> None:
    """Each step with the time of day, and how long after the beginning."""
    steps = [
        Step(what="queued", at_ms=1_000),
        Step(what="claimed", at_ms=1_250, attempt=1, worker="mac-1.20.ab"),
        Step(what="started", attempt=1, worker="mac-1.20.ab", note="8 tokens of prompt"),
        Step(what="done", at_ms=3_500, attempt=1, note="stop, 64 tokens"),
    ]
    life = Life(
        id="a", model="tiny", job_class="std", tenant="t", state="ended", attempts=1, tokens=64, events=3,
        deadline_at_ms=0, steps=steps,
    )  # fmt: skip

    lines = job_lines(Told(life, None)).splitlines()

    assert lines[:2] == ["job a: ended", "tiny, class std, tenant t, 1 attempt(s), 64 tokens"]
    assert lines[4].split(maxsplit=1)[1].strip() == "+0.25 s claimed by mac-1.20.ab, attempt 1"
    assert lines[5].strip() == "prefill: 8 tokens of prompt"
    assert lines[6].endswith("+2.50 s done: stop, 64 tokens")


def test_a_worker_is_chosen_by_name_process_or_machine() -> None:
    """A process that serves several queues has a name in each, which begin alike."""
    pool = [survey("mac-1.20.ab", "mac-10.20.cd"), survey("mac-1.20.ef", "mac-1.21.gh")]

    def names(**asked: str | None) -> list[str]:
        return [view.id for _, view in chosen(pool, **({"worker": None, "host": None} | asked))]

    assert names(worker="mac-1.20.ab") == ["mac-1.20.ab"]
    assert names(worker="mac-1.20") == ["mac-1.20.ab", "mac-1.20.ef"]
    assert names(host="mac-1") == ["mac-1.20.ab", "mac-1.20.ef", "mac-1.21.gh"]
    with pytest.raises(Unusable, match=r"mac-10\.20\.cd"):
        names(worker="mac-2")


async def test_the_commands_tell_of_a_real_job_and_drain_its_worker(
    start_pool: StartPool, run_command: RunCommand, eventually: Eventually
) -> None:
    """Under a drain the job goes on elsewhere, and its timeline says where."""
    async with start_pool(workers=2, slots=1, step_ms=30) as pool:
        asked = asyncio.create_task(
            pool.http.post("/chat", json={"prompt": "x", "max_tokens": 4_000, "min_tokens": 4_000})
        )
        flags = ("--redis", pool.broker, "--json")
        await eventually(lambda: pool.busy(1))
        (view,) = json.loads((await run_command("queue", MODEL, *flags)).out)["queues"]
        (running,) = view["runs"]

        drained = await run_command("drain", running["worker"], *flags)
        await eventually(lambda: pool.busy(1))
        await pool.http.delete(f"/chat/{running['id']}")
        await asked
        told = json.loads((await run_command("job", running["id"], *flags)).out)

    assert json.loads(drained.out)["workers"] == [running["worker"]]
    claims = [step for step in told["steps"] if step["what"] == "claimed"]
    assert [step["worker"] == running["worker"] for step in claims] == [True, False]
    assert [step["what"] for step in told["steps"]][-3:] == ["claimed", "started", "cancelled"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("job", "nobodys"), "nobodys"),
        (("queue", "no-such-model"), "no-such-model"),
        (("drain",), "--host"),
        (("drain", "mac.1.gone"), "mac.1.gone"),
    ],
)
async def test_what_is_not_there_is_one_line_and_exit_code_2(
    broker: str, run_command: RunCommand, argv: tuple[str, ...], words: str
) -> None:
    """With the name that was asked for, and no stack trace."""
    ended = await run_command(*argv, "--redis", broker)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert words in ended.err


async def test_a_redis_that_is_away_is_one_line_and_exit_code_1(run_command: RunCommand) -> None:
    """For every command that asks it, which all do so in one place."""
    for command in (("queue",), ("drain", "a")):
        ended = await run_command(*command, "--redis", "redis://127.0.0.1:1")

        assert (ended.code, ended.err.count("\n")) == (1, 1), command
        assert "does not answer" in ended.err


async def test_a_wrong_password_is_one_line_and_exit_code_2(own_broker: Any, run_command: RunCommand) -> None:
    """It does not pass: it is said to be refused, and not that nobody answers; `doctor` says where the right one is."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "requirepass", "right")
    await client.aclose()
    url = own_broker.url.replace("//", "//:wrong@")

    ended = await run_command("queue", "--redis", url)
    examined = await run_command("doctor", "--redis", url)

    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert "Redis refuses the password" in ended.err
    assert "Redis refuses the password" in examined.out
    assert "status --url" in examined.out


async def test_top_prints_once_where_no_terminal_is(start_pool: StartPool, run_command: RunCommand) -> None:
    """Into a pipe goes one picture, in plain text; or JSON."""
    async with start_pool(workers=1) as pool:
        plain = await run_command("top", "--redis", pool.broker)
        told = await run_command("top", "--redis", pool.broker, "--json")

    assert plain.out.startswith("1 worker(s) ready on 1 machine(s)")
    assert "\x1b" not in plain.out
    assert json.loads(told.out)["queues"][0]["model"] == MODEL
