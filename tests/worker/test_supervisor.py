"""The supervisor and a real child process, the scripted engine: what the agent is told, and what is never left."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from worker.engine.scripted.oracle import expected
from worker.engine.wire import AnyReply, Done, Generate, Ready, Stats, Token
from worker.supervisor import Death, Supervisor
from worker.watchdog import Limits, Progress, started, verdict

SCRIPTED = (sys.executable, "-m", "worker.engine.scripted")
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


class Heard:
    """A supervisor, and all that its callbacks were called with."""

    def __init__(self, *flags: str, command: tuple[str, ...] = SCRIPTED) -> None:
        self.replies: list[AnyReply] = []
        self.reads: list[int] = []
        self.deaths: list[Death] = []
        self.readies: list[Ready] = []
        self.supervisor = Supervisor(
            (*command, *flags), on_replies=self._hear, on_death=self.deaths.append, on_ready=self.readies.append
        )

    def _hear(self, replies: list[AnyReply]) -> None:
        self.replies.extend(replies)
        self.reads.append(len(replies))

    def text(self, request_id: str) -> str:
        """The text of one generation so far."""
        return "".join(one.content for one in self.replies if isinstance(one, Token) and one.id == request_id)

    def is_done(self, request_id: str) -> bool:
        """Whether that generation ended."""
        return any(isinstance(one, Done) and one.id == request_id for one in self.replies)

    @contextlib.asynccontextmanager
    async def running(self, eventually: Eventually) -> AsyncGenerator[Supervisor]:
        """Run the supervisor beside the block; afterwards no engine is left."""
        run = asyncio.create_task(self.supervisor.run())
        await eventually(lambda: self.supervisor.pid)
        pids = {self.supervisor.pid or 0}
        yield self.supervisor
        pids.add(self.supervisor.pid or 0)
        await self.supervisor.stop(grace_s=2)
        await run
        assert not any(map(is_alive, pids - {0}))


def python(script: str) -> tuple[str, ...]:
    """A command that runs a script instead of an engine."""
    return (sys.executable, "-u", "-c", script)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False, text=True).stdout
    return bool(state.strip()) and not state.startswith("Z")


async def test_an_engine_comes_up_and_answers(eventually: Eventually) -> None:
    """Ready is told once, and what is sent comes back as the engine's replies."""
    heard = Heard("--slots", "3", "--step-ms", "0")
    ask = Generate(id="j/1/1", prompt="안녕하세요", max_tokens=200)

    async with heard.running(eventually) as supervisor:
        await eventually(lambda: supervisor.is_ready)
        assert supervisor.send(ask)
        await eventually(lambda: heard.is_done(ask.id))

    assert heard.text(ask.id) == expected(ask).text
    assert [ready.slots for ready in heard.readies] == [3]
    assert heard.deaths == []


async def test_stats_come_before_the_first_job(eventually: Eventually) -> None:
    """An idle engine reports from the start, since the supervisor tells it at once that it speaks `op`."""
    heard = Heard()

    async with heard.running(eventually):
        await eventually(lambda: any(isinstance(reply, Stats) for reply in heard.replies))

    assert not any(isinstance(reply, Token) for reply in heard.replies)


async def test_a_crashed_engine_is_started_again(eventually: Eventually) -> None:
    """Its death is told, after all that it said, with its last words; the next one answers."""
    heard = Heard("--step-ms", "0")
    poison, ask = Generate(id="bad", prompt="[[crash@4]]"), Generate(id="good", prompt="a", max_tokens=5)

    async with heard.running(eventually) as supervisor:
        first = supervisor.pid
        supervisor.send(poison)
        await eventually(lambda: heard.deaths and supervisor.is_ready)
        supervisor.send(ask)
        await eventually(lambda: heard.is_done("good"))
        assert supervisor.pid != first

    [death] = heard.deaths
    assert (death.exit_code, death.signal, death.while_loading, death.fatal) == (1, None, False, False)
    assert "told to crash" in death.last_words
    assert sum(isinstance(one, Token) and one.id == "bad" for one in heard.replies) == 3


async def test_a_stopped_engine_can_be_started_again(eventually: Eventually) -> None:
    """A model comes and goes: each run is a new process, and no stop is told as a death."""
    heard = Heard("--step-ms", "0")

    for round_number in (1, 2):
        async with heard.running(eventually) as supervisor:
            await eventually(lambda: supervisor.is_ready)
        assert len(heard.readies) == round_number

    assert heard.deaths == []


async def test_an_abort_is_told_as_a_signal(eventually: Eventually) -> None:
    """Metal's way to run out of memory is a death by signal, with Metal's own words."""
    heard = Heard("--step-ms", "0")

    async with heard.running(eventually) as supervisor:
        supervisor.send(Generate(id="0", prompt="[[oom@2]]"))
        await eventually(lambda: heard.deaths)

    [death] = heard.deaths
    assert (death.exit_code, death.signal) == (None, 6)
    assert "Insufficient Memory" in death.last_words


async def test_a_hung_engine_is_judged_and_replaced(eventually: Eventually) -> None:
    """An engine that lives and makes no progress is killed on the watchdog's verdict, and the next one comes up."""
    heard = Heard("--step-ms", "0")
    limits = Limits(silent_ms=300, slowest_prefill_per_s=1_000)

    def progress_at(now_ms: int) -> Progress:
        return started(0).after(heard.replies, now_ms).holding(jobs=1, prompt_tokens=1, now_ms=now_ms)

    async with heard.running(eventually) as supervisor:
        supervisor.send(Generate(id="0", prompt="[[hang@5]]"))
        await eventually(lambda: sum(isinstance(reply, Token) for reply in heard.replies) == 4)
        judged = verdict(progress_at(1_000), 1_000 + 301, limits)
        supervisor.kill(judged.reason)
        await eventually(lambda: heard.deaths and supervisor.is_ready)

    [death] = heard.deaths
    assert judged.is_kill
    assert (death.signal, death.killed_for) == (9, judged.reason)


async def test_a_garbage_line_is_skipped(eventually: Eventually) -> None:
    """A line that is no JSON is logged by its length and costs nothing else."""
    heard = Heard("--step-ms", "0")
    ask = Generate(id="0", prompt="a [[garbage@3]]", max_tokens=50)

    with capture_logs() as logs:
        async with heard.running(eventually) as supervisor:
            supervisor.send(ask)
            await eventually(lambda: heard.is_done(ask.id))

    assert heard.text(ask.id) == expected(ask).text
    assert [log["bytes"] for log in logs if log["event"] == "engine_line_unreadable"] == [11]


async def test_what_an_engine_refuses_to_start_with_is_not_tried_again() -> None:
    """Exit code 2 while loading is final: its one line is the death's last words, and `run` returns."""
    heard = Heard("--slots", "0")

    await heard.supervisor.run()

    [death] = heard.deaths
    assert (death.exit_code, death.while_loading, death.fatal) == (2, True, True)
    assert death.last_words == "argument --slots: '0' is not a whole number from 1 to 4096"


async def test_a_command_that_does_not_exist_is_fatal(tmp_path: Path) -> None:
    """Nothing to start is a death that names the file, not an exception out of asyncio."""
    heard = Heard(command=(str(tmp_path / "engine"),))

    await heard.supervisor.run()

    assert [(death.fatal, death.exit_code) for death in heard.deaths] == [(True, None)]
    assert str(tmp_path / "engine") in heard.deaths[0].last_words


async def test_a_death_while_loading_is_told_apart(eventually: Eventually) -> None:
    """An engine that dies before it was ready is started again, and the agent knows that no job was in it."""
    heard = Heard("--fault", "crash@0")

    async with heard.running(eventually):
        await eventually(lambda: len(heard.deaths) == 2)

    assert {(death.while_loading, death.fatal) for death in heard.deaths} == {(True, False)}


async def test_stopping_is_no_death(eventually: Eventually) -> None:
    """`stop` ends engine and `run`, within the grace, and nobody is told of a death."""
    heard = Heard()

    async with heard.running(eventually) as supervisor:
        await eventually(lambda: supervisor.is_ready)

    assert heard.deaths == []
    assert not supervisor.send(Generate(prompt="a"))


async def test_an_engine_that_ignores_stop_is_killed(eventually: Eventually) -> None:
    """After the grace there is force."""
    heard = Heard(command=python("import time; time.sleep(60)"))

    async with heard.running(eventually) as supervisor:
        pid = supervisor.pid
        assert pid
        await supervisor.stop(grace_s=0.05)
        assert not is_alive(pid)


async def test_a_cancelled_run_leaves_no_engine(eventually: Eventually) -> None:
    """Cancelling the task that runs the supervisor kills the engine before the cancellation goes on."""
    heard = Heard()
    run = asyncio.create_task(heard.supervisor.run())
    await eventually(lambda: heard.supervisor.pid)
    pid = heard.supervisor.pid
    assert pid

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert not is_alive(pid)


async def test_an_error_in_a_callback_ends_the_run() -> None:
    """A bug in the agent is raised where the agent waits, not swallowed by the event loop, and the engine is gone."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    supervisor = Supervisor(SCRIPTED, on_replies=fail, on_death=fail)

    with pytest.raises(ZeroDivisionError):
        await supervisor.run()

    assert supervisor.pid is None


async def test_what_the_engine_started_dies_with_it(eventually: Eventually, tmp_path: Path) -> None:
    """A helper process of the engine's does not outlive it."""
    note = tmp_path / "pid"
    script = f"""
import subprocess
helper = subprocess.Popen(["sleep", "60"])
open({str(note)!r}, "w").write(str(helper.pid))
raise SystemExit(1)"""
    heard = Heard(command=python(script))

    async with heard.running(eventually):
        await eventually(lambda: heard.deaths)

    helper = int(note.read_text(encoding="utf-8"))
    await eventually(lambda: not is_alive(helper))


async def test_stderr_goes_to_the_log_line_by_line(eventually: Eventually) -> None:
    """Each line is one event, cut where it is endless; the last ones, also an unfinished one, are the last words."""
    script = "import sys; sys.stderr.write('one\\n' + 'x' * 9000 + '\\nlast'); raise SystemExit(3)"
    heard = Heard(command=python(script))

    with capture_logs() as logs:
        async with heard.running(eventually):
            await eventually(lambda: heard.deaths)

    said = [log["line"] for log in logs if log["event"] == "engine_says"]
    assert said[:3] == ["one", "x" * 2_000, "last"]
    assert heard.deaths[0].last_words == "\n".join(said[:3])
