"""Tokens and events a second through the whole path, and the CPU time that each process of it spends on them."""

import contextlib
import json
import statistics
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Literal, assert_never

import msgspec

from bench.load.orders import Accept, Order, Result, ViaChannel, ViaCompletions, ViaHttp
from bench.rig.load_generator import LoadGenerator
from bench.rig.pool import Pool, Worker, free_port, is_open
from bench.rig.process import Process, python
from bench.table import table

Via = Literal["pool, NDJSON", "pool, SSE", "pool, OpenAI", "no gateway", "Starlette alone"]
MODEL = "scripted"
SLOTS = 32
CONTEXT_TOKENS = 1_000_000
_WARM_TOKENS, _WARM_S = 1_000, 0.2
_MAX_TOKENS = CONTEXT_TOKENS // 2


class Case(msgspec.Struct, frozen=True):
    """One way to the client, so many streams, and the engine's pace; 0 is as fast as it goes."""

    via: Via
    streams: int
    step_ms: float


class Measured(msgspec.Struct, frozen=True):
    """A case and the round of it that had the median of tokens a second."""

    case: Case
    result: Result


class Site(msgspec.Struct, frozen=True):
    """Where the streams of one pace come from."""

    pool: Pool
    worker: Worker
    alone_port: int
    alone_pid: int


def measure(
    pool: Pool, generator: LoadGenerator, folder: Path, cases: Sequence[Case], *, rounds: int, seconds: float
) -> list[Measured]:
    """Measure cases of one pace, interleaved: each round runs all of them."""
    results: dict[Case, list[Result]] = {case: [] for case in cases}
    with _site(pool, folder, cases[0].step_ms) as site:
        tokens = {case: _tokens(site, generator, case, seconds) for case in cases}
        for _ in range(rounds):
            for case in cases:
                results[case].append(generator.carry_out(_order(site, case, tokens[case])))
    return [Measured(case, _median(rounds_of)) for case, rounds_of in results.items()]


def engine_flags(step_ms: float) -> list[str]:
    """A worker's flags for the scripted engine at this pace."""
    more = f"--step-ms {step_ms:g} --context-tokens {CONTEXT_TOKENS}"
    return ["--engine", "scripted", "--slots", str(SLOTS), "--engine-args", more]


def report(measured: Sequence[Measured]) -> str:
    """The table of throughput, and below it the one of CPU time by process."""
    rates = table(_HEAD, [[*_case_cells(one.case), *_rate_cells(one)] for one in measured])
    spent = table(_CPU_HEAD, [[*_case_cells(one.case), *_cpu_cells(one.result)] for one in measured])
    return f"{rates}\n\n{spent}"


_HEAD = (
    *("path", "streams", "step ms", "tokens/s", "events/s", "tokens/event"),
    *("tokens per server CPU s", "events per server CPU s", "first token ms p50", "p99"),
)
_PROCESSES = ("gateway", "Starlette", "agent", "engine", "broker", "generator")
_CPU_HEAD = ("CPU ms per 1,000 tokens", "streams", "step ms", *_PROCESSES)
# Who serves the client. Without a gateway that is the reader itself: it spends what the gateway's listener costs.
_SERVERS: dict[Via, str] = {
    "pool, NDJSON": "gateway",
    "pool, SSE": "gateway",
    "pool, OpenAI": "gateway",
    "no gateway": "generator",
    "Starlette alone": "Starlette",
}


@contextlib.contextmanager
def _site(pool: Pool, folder: Path, step_ms: float) -> Generator[Site]:
    port = free_port()
    argv = python("bench.starlette_alone", "--port", str(port), "--step-ms", str(step_ms))
    with Process("starlette", argv, folder) as alone, pool.worker(*engine_flags(step_ms)) as worker:
        alone.wait_until(lambda: is_open(port))
        yield Site(pool, worker, port, alone.pid)


def _tokens(site: Site, generator: LoadGenerator, case: Case, seconds: float) -> int:
    """How many tokens a stream gets, for the case to last so long; found out by a short run, which warms up as well."""
    tokens = max(1, round(_WARM_S * 1_000 / case.step_ms)) if case.step_ms else _WARM_TOKENS
    result = generator.carry_out(_order(site, case, tokens))
    if case.step_ms:
        return max(1, round(seconds * 1_000 / case.step_ms))
    return min(_MAX_TOKENS, max(1, round(result.tokens / result.seconds * seconds / case.streams)))


def _order(site: Site, case: Case, tokens: int) -> Order:
    bodies = [json.dumps({"prompt": f"stream {number}", "max_tokens": tokens}) for number in range(case.streams)]
    watch = site.pool.pids | {"agent": site.worker.agent_pid, "engine": site.worker.engine_pid}
    accept: Accept = "text/event-stream" if case.via == "pool, SSE" else "application/x-ndjson"
    match case.via:
        case "pool, NDJSON" | "pool, SSE":
            return ViaHttp(bodies=bodies, watch=watch, port=site.pool.port, accept=accept)
        case "pool, OpenAI":
            asked = [_completion(number, tokens) for number in range(case.streams)]
            return ViaCompletions(bodies=asked, watch=watch, port=site.pool.port)
        case "no gateway":
            return ViaChannel(bodies=bodies, watch=watch, redis=site.pool.url, model=MODEL)
        case "Starlette alone":
            return ViaHttp(bodies=bodies, watch={"Starlette": site.alone_pid}, port=site.alone_port, accept=accept)
        case _:
            assert_never(case.via)


def _completion(number: int, tokens: int) -> str:
    messages = [{"role": "user", "content": f"stream {number}"}]
    options = {"include_usage": True}
    return json.dumps({"messages": messages, "max_tokens": tokens, "stream": True, "stream_options": options})


def _median(results: Sequence[Result]) -> Result:
    rates = [result.tokens / result.seconds for result in results]
    return results[rates.index(statistics.median_low(rates))]


def _case_cells(case: Case) -> list[str]:
    return [case.via, str(case.streams), f"{case.step_ms:g}"]


def _rate_cells(measured: Measured) -> list[str]:
    result = measured.result
    server_s = result.cpu_s[_SERVERS[measured.case.via]]
    per_event = result.tokens / max(1, result.events)
    rates = (result.tokens / result.seconds, result.events / result.seconds)
    per_cpu_s = (result.tokens / server_s, result.events / server_s)
    first = (result.first_ms.p50, result.first_ms.p99)
    return [*_rounded(*rates), f"{per_event:.1f}", *_rounded(*per_cpu_s, *first)]


def _cpu_cells(result: Result) -> list[str]:
    spent = [result.cpu_s.get(name) for name in _PROCESSES]
    return ["–" if cpu_s is None else f"{cpu_s / result.tokens * 1e6:.1f}" for cpu_s in spent]


def _rounded(*values: float) -> list[str]:
    return [f"{value:,.0f}" for value in values]
