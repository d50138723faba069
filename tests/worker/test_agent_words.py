"""Between the queue's words and the pipe's, and what a worker tells of itself."""

import re

import msgspec
import pytest

from shared import event
from shared.claims import Claimed
from shared.errors import Fault, Refused
from shared.event import Timings, Usage
from shared.identity import host_name, incarnation, is_run_of
from shared.job import Ask, Job, Message, seed_of
from shared.survey import WorkerView
from shared.tools import CalledFunction, Function, PastCall, Tool
from worker import translate
from worker.engine import wire
from worker.presence import Tally, Told, fields
from worker.run import Past, Run

TOOL = Tool("function", Function("f"))
CALL = PastCall("a1", "function", CalledFunction("f", '{"a": 12}'))


def claimed(body: bytes = b'{"prompt":"x"}', *, attempt: int = 1, outline: str = "") -> Claimed:
    return Claimed("job", attempt, "std:1-1", body, 0, 9_000, 1_000, "tenant", "", outline, 1_500)


def run(past: Past | None = None, *, outline: str = "") -> Run:
    one = Run(claimed(outline=outline), "job/1/1", prompt_tokens_estimate=1)
    one.past, one.seed = past or Past(), 7
    return one


def test_every_field_of_an_ask_reaches_the_engine() -> None:
    """What a client may set is never dropped on the way, and the pipe's own fields are added."""
    messages = [Message(role="user", content="x")]
    job = Job(messages=messages, temperature=0.1, stop=["a"], min_tokens=3, logprobs=0, top_k=1)

    line = translate.generate_line(job, run())

    told = {name: getattr(line, name) for name in Ask.__struct_fields__ if name != "seed"}
    assert told == {name: getattr(job, name) for name in Ask.__struct_fields__ if name != "seed"}
    assert (line.id, line.seed, line.tenant, line.enqueued_at_ms) == ("job/1/1", 7, "tenant", 1_000)
    assert line.resume is None


def test_a_later_attempt_goes_on_after_the_logged_ids() -> None:
    """The engine gets them all, in order."""
    line = translate.generate_line(Job(prompt="x"), run(Past((5, 6), "h", 7)))

    assert line.resume == wire.Resume([5, 6])


def test_the_engine_knows_what_nobody_waits_for() -> None:
    """Bulk work, by its stream or by its own word: other prompts are read before its own."""
    bulk = Run(msgspec.structs.replace(claimed(), entry="lo:1-1"), "job/1/1", prompt_tokens_estimate=1)

    assert translate.generate_line(Job(prompt="x"), bulk).steps_aside
    assert translate.generate_line(Job(prompt="x", class_="lo"), run()).steps_aside
    assert not translate.generate_line(Job(prompt="x"), run()).steps_aside


@pytest.mark.parametrize("outline", ["", "no outline", f"5 - {'g' * 16}:5", "1 - " + "a" * 2_000])
def test_the_engine_is_told_by_what_names_to_speak_of_the_prompt(outline: str) -> None:
    """Those of the job's outline, in their order; an outline that can't be read has none."""
    names = "8 - 00000000000000aa:3,00000000000000bb:8"

    line = translate.generate_line(Job(prompt="x"), run(outline=names))
    without = translate.generate_line(Job(prompt="x"), run(outline=outline))

    assert line.prefixes == (("00000000000000aa", 3), ("00000000000000bb", 8))
    assert wire.decode_request(wire.encode_line(line)) == (line, True)
    assert without.prefixes == ()


@pytest.mark.parametrize(
    ("job", "past", "expected"),
    [
        (Job(prompt="x", seed=3), Past((), None, 9), 3),
        (Job(prompt="x"), Past((), None, 9), 9),
        (Job(prompt="x"), Past(), seed_of("job")),
    ],
)
def test_every_attempt_draws_from_the_same_seed(job: Job, past: Past, expected: int) -> None:
    """The job's own, else the one that was logged, else the one in its id."""
    assert translate.seed(job, claimed(), past) == expected


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"{}", "missing_field", "prompt"),
        (b'{"prompt":"x","model":"b"}', "model_not_found", "model"),
    ],
)
def test_a_broken_body_is_refused_by_its_field(body: bytes, code: str, param: str | None) -> None:
    """Also one that asks for another queue's model."""
    with pytest.raises(Refused) as refused:
        translate.job_of(claimed(body), "a")

    assert (refused.value.code, refused.value.param) == (code, param)


def test_a_body_may_name_its_queues_model() -> None:
    """Producers copy request bodies as they are."""
    assert translate.job_of(claimed(b'{"prompt":"x","model":"a"}'), "a").prompt == "x"


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (Job(tokens=[1, 2, 3]), 3),
        (Job(prompt="x" * 40), 11),
        (Job(messages=[Message("assistant", tool_calls=[CALL])], tools=[TOOL]), 3 + 11),
        (Job(messages=[Message(role="user", content="x" * 8), Message(role="user", content="")]), 4),
    ],
)
def test_a_prompt_is_estimated_before_it_is_counted(job: Job, expected: int) -> None:
    """Good enough to decide whether to claim one more."""
    assert translate.prompt_tokens_estimate(job) == expected


def test_an_attempt_begins_with_who_and_from_where() -> None:
    """`started` says which worker, which attempt, and how many ids it goes on after."""
    reply = wire.Started(id="job/1/1", prompt_tokens=4, prompt_hash="h", cached_tokens=2)

    begun = translate.started_event(reply, run(Past((5, 6), "h", 7)), "mac.1.ab")

    assert begun == event.Started(
        worker="mac.1.ab", attempt=1, seed=7, prompt_tokens=4, prompt_hash="h", cached_tokens=2, resumed_tokens=2
    )


def test_an_end_tells_how_long_the_job_waited() -> None:
    """From its enqueueing to its claim, by Redis's clock; the rest is the engine's to know."""
    reply = wire.Done(id="x", reason="stop", usage=Usage(1, 2), timings=Timings(decode_ms=3), stop="END")

    end = translate.done_event(reply, run())

    timings = Timings(queued_ms=500, decode_ms=3)
    assert end == event.Done(reason="stop", usage=Usage(1, 2), timings=timings, stop="END")


@pytest.mark.parametrize(
    "error", [wire.Error(code="internal", message="m", param="p"), Fault("internal", "m", param="p")]
)
def test_an_error_is_told_alike_whoever_found_it(error: wire.Error | Fault) -> None:
    """The engine's and the agent's have the same shape for the client."""
    assert translate.error_event(error) == event.Error(code="internal", message="m", param="p")


def test_a_token_is_told_with_its_ids() -> None:
    """Text, reasoning, calls, ids and logprobs, as the engine said them."""
    calls, logprobs = [event.ToolCall(0, "a1", "f", "{}")], [event.TokenLogprob("c", -0.5, [99], [])]
    reply = wire.Token(id="x", content="c", reasoning="r", tool_calls=calls, warning="w", tokens=[1], logprobs=logprobs)

    told = event.Token(content="c", reasoning="r", tool_calls=calls, warning="w", tokens=[1], logprobs=logprobs)
    assert translate.token_event(reply) == told


def test_no_two_incarnations_share_a_name() -> None:
    """Host, process and chance: a name that was buried never comes back."""
    names = {incarnation("mac", 42) for _ in range(100)}

    assert len(names) == 100
    assert all(re.fullmatch(r"mac\.42\.[0-9a-f]{8}", name) for name in names)


def test_a_process_knows_its_own_runs() -> None:
    """Who started a worker can tell the pool which incarnations ended with it, and no others."""
    mine = [incarnation("mac", 42) for _ in range(2)]

    assert all(is_run_of(name, "mac", 42) for name in mine)
    assert not any(is_run_of(mine[0], *other) for other in [("mac", 4), ("ma", 42), ("mac", 421)])


@pytest.mark.parametrize(
    ("name", "expected"), [("mac.local", "mac-local"), ("한", "-"), ("", "host"), ("x" * 99, "x" * 48)]
)
def test_a_hosts_name_fits_into_an_id(name: str, expected: str) -> None:
    """No dot, or the script could not tell host from process."""
    assert host_name(name) == expected


def test_what_a_beat_tells_is_what_a_survey_reads() -> None:
    """Every word of a worker's hash has its place in the view, so none is told in vain."""
    ready = wire.Ready(model="x", slots=4, context_tokens=10, fingerprint="f", device="gpu", note="fast")
    stats = wire.Stats(slots=4, busy=1, tokens_per_second=12.34, prefill_tokens_per_second=456.7, kv_bytes=5)

    told = fields(Told("m", "mac", "ready", 1, listens=True, ready=ready, stats=stats), Tally())

    # The one is for the reapers, the other is put together with what the others tell.
    assert set(told) <= {*WorkerView.__struct_fields__, "listens", "waits"}
    assert (told["slots"], told["busy"], told["tokens_per_second"], told["device"]) == (4, 1, 12.3, "gpu")
    assert told["reads_per_second"] == 457


def test_what_slows_the_machine_stands_in_its_note() -> None:
    """Behind what the engine says of itself, so that whoever looks for a slow worker finds why."""
    ready = wire.Ready(model="x", slots=4, context_tokens=10, fingerprint="f", note="GPU")
    told = Told("m", "mac", "ready", 1, listens=True, ready=ready, stats=None, hints="on battery")

    assert fields(told, Tally())["note"] == "GPU; on battery"


def test_a_worker_without_an_engine_tells_so_with_zeros() -> None:
    """It loads: no slots to offer yet."""
    told = fields(Told("m", "mac", "loading", 0, listens=False, ready=None, stats=None), Tally())

    assert (told["slots"], told["engine"], told["memory_bytes"]) == (0, "", 0)


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    """Expected waits follow what the pool does now, not what it did an hour ago."""
    tally = Tally()
    for second in range(10):
        tally.job_ended(5, 1.0, now_s=float(second))

    assert tally.jobs_per_second(now_s=9.0) == pytest.approx(10 / 9)
    assert tally.jobs_per_second(now_s=100.0) == 0.0
    assert (tally.jobs_done, tally.tokens_done) == (10, 50)


def test_the_time_of_a_job_is_the_mean_of_the_last_ones() -> None:
    """Also of a worker whose jobs take longer than any window; none told before the first has ended."""
    tally = Tally()
    assert tally.job_seconds == 0.0

    for seconds in (100.0, *[2.0, 4.0] * 16):
        tally.job_ended(5, seconds)

    assert tally.job_seconds == 3.0
