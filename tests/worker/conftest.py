"""Real worker processes with the scripted engine on a real server, and the yardstick for what they must say."""

import asyncio
import contextlib
import copy
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.connection import connect
from shared.errors import Fault
from shared.event import AnyEvent, Done, Started, Token, TokenLogprob, decode_event, is_terminal
from shared.job import parse_job, seed_of
from shared.queue import Queue
from shared.survey import WorkerView
from worker.engine.scripted.oracle import Answer, expected


class Machine:
    """One worker process."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        """All that it has logged."""
        return self._log.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def exit_code(self, within: float = 10) -> int:
        """Wait for its end."""
        return await asyncio.to_thread(self.process.wait, within)


class Story:
    """All that happened to one job, as its log has it: always whole, and with one end."""

    def __init__(self, job_id: str, body: bytes, events: list[AnyEvent]) -> None:
        self.id = job_id
        self.body = body
        self.events = events

    @property
    def starts(self) -> list[Started]:
        """Its attempts, those that got as far as the engine."""
        return [event for event in self.events if isinstance(event, Started)]

    @property
    def end(self) -> AnyEvent:
        """Its last event."""
        return self.events[-1]

    @property
    def ids(self) -> list[int]:
        """The generated ids."""
        return [token for event in self.events if isinstance(event, Token) for token in event.tokens]

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """What was told of how likely they were."""
        return [entry for event in self.events if isinstance(event, Token) for entry in event.logprobs]

    @property
    def text(self) -> str:
        """What a client has read."""
        return "".join(event.content for event in self.events if isinstance(event, Token))

    @property
    def oracle(self) -> Answer:
        """What an undisturbed engine answers."""
        job = parse_job(self.body)
        return expected(job, job.seed if job.seed is not None else seed_of(self.id))

    def assert_undisturbed(self) -> None:
        """Whatever happened meanwhile, the stream is the one of an engine that nobody disturbed."""
        assert isinstance(self.end, Done), self.end
        assert (self.text, self.ids, self.end.reason, self.logprobs) == self.oracle
        assert self.end.usage.completion_tokens == len(self.ids)


class Site:
    """The machines of a pool that serves the model `m`, and its queue."""

    def __init__(self, url: str, logs: Path, model: str = "m") -> None:
        self.url = url
        self.client = connect(url, name="site")
        self.queue = Queue(self.client, model)
        self.machines: list[Machine] = []
        self._logs = logs
        self._bodies: dict[str, bytes] = {}
        self._names = itertools.count(1)

    def start(self, *flags: str, slots: int = 4, engine: str = "--step-ms 5", name: str = "") -> Machine:
        """Start a machine; it is ready some time later."""
        own = ["--engine", "scripted", "--queue", "m", "--engine-args", engine]
        return self.start_worker(*own, "--slots", str(slots), *flags, name=name)

    def start_worker(self, *flags: str, name: str = "", **env: str) -> Machine:
        """Start a machine of which only these flags and the pool are settled."""
        name = name or f"mac{next(self._names)}"
        words = [sys.executable, "-m", "worker", "--redis", self.url, "--name", name, *flags]
        log = self._logs / f"{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(words, stdout=file, stderr=file, env=os.environ | env)
        machine = Machine(name, process, log)
        self.machines.append(machine)
        return machine

    def start_models(
        self, *models: str, room: float = 0.6, engine: str = "--step-ms 2", slots: int = 2, **more: str
    ) -> Machine:
        """Start a machine with models on demand of 0.4 GiB each, unless they say it, and room for so many GiB."""
        sized = ",".join(each if "=" in each else f"{each}=0.4" for each in models)
        flags = {"on-demand": sized, "models-memory-gb": str(room), "turn-s": "0.5", "slots": str(slots)} | more
        words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]
        return self.start_worker("--engine", "scripted", "--engine-args", engine, *words)

    def beside(self, model: str) -> "Site":
        """The queue of another model that the same machines serve."""
        other = copy.copy(self)
        other.queue, other._bodies = Queue(self.client, model), {}
        return other

    async def view(self, machine: Machine | None = None) -> WorkerView:
        """What a machine, or the only one there is, tells of this queue's model."""
        workers = (await self.queue.survey()).live_workers
        return next((view for view in workers if machine is None or view.host == machine.name), WorkerView("nobody"))

    async def becomes(self, state: str, machine: Machine | None = None, *, within: float = 20) -> WorkerView:
        """Wait until a machine tells this state of this queue's model."""
        deadline = time.monotonic() + within
        while (view := await self.view(machine)).state != state:
            assert time.monotonic() < deadline, (view, [machine.said[-3_000:] for machine in self.machines])
            await asyncio.sleep(0.01)
        return view

    async def ready(self, machines: int = 1, *, within: float = 20) -> None:
        """Wait until so many machines take jobs."""
        deadline = time.monotonic() + within
        while True:
            with contextlib.suppress(Fault):
                if len((await self.queue.survey()).ready_workers) == machines:
                    return
            assert time.monotonic() < deadline, [machine.said for machine in self.machines]
            await asyncio.sleep(0.02)

    async def put(self, prompt: str = "안녕", *, max_tokens: int = 40, **ask: Any) -> str:
        """Put a job on the queue by one XADD, as any other service does; returns its id."""
        return await self.put_raw(json.dumps({"prompt": prompt, "max_tokens": max_tokens} | ask).encode())

    async def put_raw(self, body: bytes, **fields: str) -> str:
        """Put a body on the queue, whatever it is."""
        extra = [word for pair in fields.items() for word in pair]
        entry: bytes = await self.client.command("XADD", self.queue.keys.jobs("std"), "*", "body", body, *extra)
        job_id = f"std-{entry.decode()}"
        self._bodies[job_id] = body
        return job_id

    async def has_tokens(self, job_id: str, at_least: int = 1) -> None:
        """Wait until a job is in mid-stream."""
        await self._follow(job_id, lambda events: sum(isinstance(event, Token) for event in events) >= at_least)

    async def runner(self, job_id: str, *, tokens: int = 3) -> Machine:
        """The machine that runs a job, once that is in mid-stream."""
        await self.has_tokens(job_id, tokens)
        worker = next(event.worker for event in await self._events(job_id) if isinstance(event, Started))
        return next(machine for machine in self.machines if machine.name == worker.partition(".")[0])

    async def story(self, job_id: str, *, within: float = 20) -> Story:
        """Wait for a job's end."""
        events = await self._follow(job_id, lambda events: is_terminal(events[-1]), within=within)
        return Story(job_id, self._bodies[job_id], events)

    async def is_quiet(self) -> bool:
        """Whether nothing waits, runs or is left of any worker that is gone."""
        survey = await self.queue.survey()
        return (survey.waiting_total, survey.running) == (0, 0)

    async def close(self) -> None:
        """End every machine and everything that it started."""
        for machine in self.machines:
            for number in (signal.SIGCONT, signal.SIGTERM, signal.SIGTERM):
                with contextlib.suppress(ProcessLookupError):
                    machine.send(number)
        for machine in self.machines:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await machine.exit_code(5)
            machine.process.kill()
            machine.process.wait()
        await self.client.aclose()

    async def _follow(
        self, job_id: str, holds: Callable[[list[AnyEvent]], bool], *, within: float = 20
    ) -> list[AnyEvent]:
        deadline = time.monotonic() + within
        while True:
            events = await self._events(job_id)
            if events and holds(events):
                return events
            assert time.monotonic() < deadline, (events[-3:], [machine.said[-2_000:] for machine in self.machines])
            await asyncio.sleep(0.01)

    async def _events(self, job_id: str) -> list[AnyEvent]:
        try:
            entries = await self.queue.read_log(job_id, count=10_000)
        except Fault:
            return []
        events = [decode_event(entry.data) for entry in entries]
        assert [event.seq for event in events if event] == list(range(1, len(entries) + 1)), "a log with a hole"
        assert not any(is_terminal(event) for event in events[:-1] if event), "events behind the end"
        return [event for event in events if event]


Sites = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def site(broker: str, tmp_path: Path) -> Sites:
    """Give what makes sites, each for one `async with` block; leaving it ends all of its machines."""

    @asynccontextmanager
    async def make(url: str = broker) -> AsyncGenerator[Site]:
        here = Site(url, tmp_path)
        try:
            yield here
        finally:
            await here.close()

    return make


def engines_of(machine: Machine) -> list[int]:
    """The processes that a machine has started, where the system can tell."""
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in found.stdout.splitlines()]
    return [int(pid) for pid, parent in rows if int(parent) == machine.process.pid]


def is_alive(pid: int) -> bool:
    """Whether a process of this id runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
