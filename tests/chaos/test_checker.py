"""The checker judged: each rule fires on a planted fault, and on nothing that is allowed."""

from pathlib import Path

import pytest

from tests.chaos import history as h
from tests.chaos.checker import check
from tests.chaos.hand import Fault, Tale, add, all_of, change, drop, flawless, repeat
from tests.chaos.rules import Rules

# A log has: started, token, token, token, done; that of job b: started, token, started, token, token, done.
FAULTS: list[tuple[str, str, Fault]] = [
    ("C1", "an accepted request never ended", drop(h.Over)),
    ("C1", "a client came back to a job that was gone", change(h.Over, how="lost", code="job_not_found")),
    ("C1", "a job failed by our fault", change(h.Over, how="error", code="stream_lost")),
    ("C1", "a job was cancelled by nobody", change(h.Over, how="cancelled")),
    ("C2", "a job that nobody asked for", add(h.Kept(at=99, job="x", state="ended", attempt=1, seq=1, ttl_ms=1))),
    ("C2", "a refused job ran", all_of(change(h.Answered, outcome="refused", status=429), *[drop(h.Received)] * 5)),
    ("C3", "two ends in the log", repeat(h.Logged, 4, seq=6)),
    ("C3", "no end in the log", drop(h.Logged, 4)),
    (
        "C3",
        "the log goes on behind the end",
        all_of(change(h.Logged, 3, status="done"), change(h.Logged, 4, status="token")),
    ),
    ("C3", "a client was told another end", change(h.Received, 4, status="error")),
    ("C4", "a hole in the log", drop(h.Logged, 2)),
    ("C4", "an event was received twice", repeat(h.Received, 2)),
    ("C4", "an event was not received", drop(h.Received, 2)),
    ("C4", "another text was received", change(h.Received, 1, content="made up")),
    ("C4", "another text was logged", change(h.Logged, 1, content="made up")),
    ("C4", "a call was received that nobody made", change(h.Received, 1, calls="[0 rain {}]")),
    ("C4", "a call was logged that nobody made", change(h.Logged, 1, calls="[0 rain {}]")),
    ("C4", "an id was generated twice", change(h.Logged, 2, tokens=[1, 2, 3])),
    ("C4", "an id lost its logprob", change(h.Logged, 2, logprobs=[])),
    ("C4", "a logprob is another's", change(h.Logged, 2, logprobs=[-0.5, -0.5, -0.5])),
    ("C4", "text was taken back", change(h.Received, 2, content="more than the answer")),
    ("C5", "an old attempt wrote behind a take-over", change(h.Logged, 9, attempt=1)),
    ("C5", "an attempt wrote before it started", change(h.Logged, 7, status="token")),
    ("C5", "an old attempt published", change(h.Published, 9, attempt=1)),
    ("C5", "an event was published twice", repeat(h.Published, 2)),
    ("C6", "too many attempts without a token", change(h.Kept, attempt=9)),
    ("C7", "usage is not what was logged", change(h.Logged, 4, completion_tokens=8)),
    ("C7", "usage counts one attempt only", change(h.Logged, 10, completion_tokens=6)),
    ("C7", "a client was told another usage", change(h.Received, 4, completion_tokens=8)),
    ("C7", "the prompt's tokens are wrong", change(h.Logged, 4, prompt_tokens=1)),
    ("C8", "a job still runs", change(h.Census, 1, running=1)),
    ("C8", "a job still waits", change(h.Census, 1, waiting=1)),
    ("C8", "a slot is still taken", change(h.Census, 1, busy=1)),
    ("C8", "a deadline is kept for nobody", change(h.Census, 1, unfinished=1)),
    ("C8", "a key stays for ever", change(h.Census, 1, strays=["pool:{scripted}:job:x has no TTL"])),
    ("C8", "it took too long", change(h.Census, 1, quiet_after_s=31.0)),
    ("C8", "nobody looked", drop(h.Census, 1)),
    ("C8", "descriptors leak", change(h.Census, 1, processes=[h.Process("gateway-1", "gateway", 40, 50 << 20)])),
    ("C8", "memory leaks", change(h.Census, 1, processes=[h.Process("gateway-1", "gateway", 20, 150 << 20)])),
    ("C10", "nobody got anything", change(h.Over, 2, at=40.0)),
    ("C11", "another tenant was shown a job", add(h.Pried(at=99, job="a", who="t", method="GET", status=200))),
    ("C11", "a job was cancelled without a key", add(h.Pried(at=99, job="a", who="", method="DELETE", status=204))),
    ("effort", "nothing was done", all_of(*[change(h.Over, place, how="left") for place in range(3)])),
]


def broken(records: list[h.AnyRecord]) -> set[str]:
    """The rules that a history breaks."""
    return {verdict.rule for verdict in check(records) if not verdict.holds}


@pytest.mark.parametrize(("rule", "plant"), [(rule, plant) for rule, _, plant in FAULTS], ids=[f[1] for f in FAULTS])
def test_a_planted_fault_is_found(rule: str, plant: Fault) -> None:
    """A history that breaks a rule is said to break it."""
    history = flawless()

    verdicts = broken(plant(history))

    assert rule in verdicts


def test_a_flawless_history_is_let_pass() -> None:
    """No rule fires where nothing is wrong, though a job moved between workers."""
    verdicts = check(flawless())

    assert [verdict.faults for verdict in verdicts if not verdict.holds] == []
    assert {f"C{number}" for number in range(1, 11)} <= {verdict.rule for verdict in verdicts}


ALLOWED: list[tuple[str, Fault]] = [
    (
        "a refused request was made again",
        add(h.Answered(at=1.0, request="a", outcome="refused", tried_at=1.0, status=429, code="queue_full")),
    ),
    (
        "a request that nobody took left no trace",
        add(
            h.Asked(at=5, request="d", client="ann", body={"prompt": "d"}, job="job-d"),
            h.Answered(at=5, request="d", outcome="refused", tried_at=5, status=429),
            h.Over(at=5.1, request="d", how="refused"),
        ),
    ),
    (
        "a client that left has no end to show",
        add(
            h.Asked(at=5, request="d", client="ann", body={"prompt": "d"}, job="job-d", manners="leaver"),
            h.Left(at=5, request="d"),
            h.Over(at=5, request="d", how="left"),
        ),
    ),
    (
        "a job whose submit was never answered may have run",
        add(
            h.Asked(at=5, request="d", client="ann", body={"prompt": "d"}),
            h.Answered(at=5, request="d", outcome="unknown", tried_at=5),
            h.Over(at=5, request="d", how="gave_up"),
            h.Kept(at=99, job="nameless", state="ended", attempt=1, seq=1, ttl_ms=1),
        ),
    ),
    (
        "a cancelled stream is a beginning of the answer",
        all_of(
            change(h.Logged, 4, status="cancelled", completion_tokens=None),
            change(h.Received, 4, status="cancelled", completion_tokens=None),
            change(h.Over, how="cancelled"),
            drop(h.Logged, 3),
            drop(h.Received, 3),
            change(h.Logged, 3, seq=4),
            change(h.Received, 3, seq=4),
            add(h.Left(at=1.2, request="a")),
        ),
    ),
    (
        "the pool has more descriptors than at base, within reason",
        change(h.Census, 1, processes=[h.Process("gateway-1", "gateway", 30, 60 << 20)]),
    ),
    ("nothing can be said of descriptors here", change(h.Census, 1, processes=[h.Process("gateway-1", "gateway")])),
]


@pytest.mark.parametrize("plant", [plant for _, plant in ALLOWED], ids=[name for name, _ in ALLOWED])
def test_what_is_allowed_is_let_pass(plant: Fault) -> None:
    """The rules forbid nothing that the pool may do."""
    history = flawless()

    verdicts = check(plant(history))

    assert [verdict for verdict in verdicts if not verdict.holds] == []


EXPECTED: list[tuple[str, Rules, Rules]] = [
    ("C9", Rules(fairness=0.95, min_struck=0), Rules(fairness=0.5, min_struck=0)),
    ("C10", Rules(gap_s=0.01, min_struck=0), Rules(gap_s=0.1, min_struck=0)),
    ("C6", Rules(engine_deaths=1, must_end_in={"tale": "poisoned"}, min_struck=0), Rules(min_struck=0)),
    ("take-overs", Rules(takeovers=0, min_struck=0), Rules(takeovers=1, min_struck=0)),
    ("C10", Rules(stall_s=0.01, min_struck=0), Rules(stall_s=1.0, min_struck=0)),
    ("effort", Rules(min_struck=1), Rules(min_struck=0)),
    ("effort", Rules(min_struck=0, min_done=9), Rules(min_struck=0, min_done=4)),
]


@pytest.mark.parametrize(("rule", "strict", "mild"), EXPECTED)
def test_a_scenarios_own_expectation_is_measured(rule: str, strict: Rules, mild: Rules) -> None:
    """What a scenario wants besides fires when it is missed, and only then."""

    def tale(rules: Rules) -> list[h.AnyRecord]:
        return Tale(rules).job("a").job("b", client="bob", attempts=2).job("c").job("d").end()

    assert rule in broken(tale(strict))
    assert rule not in broken(tale(mild))


def test_a_slow_refusal_is_found() -> None:
    """A refusal that took longer than the scenario allows is one, and a quick one is none."""
    rules = Rules(refused_s=1.0, min_struck=0)
    quick = h.Answered(at=5.5, request="a", outcome="unknown", tried_at=5, status=503, code="broker_down")

    slow = add(h.Answered(at=7, request="a", outcome="unknown", tried_at=5, status=503, code="broker_down"))

    assert broken(add(quick)(flawless(rules))) == set()
    assert broken(slow(flawless(rules))) == {"refusals"}


def test_a_slot_that_is_freed_late_is_found() -> None:
    """The time from a client's leaving to its job's last event is held against the bound."""
    rules = Rules(cancel_p99_s=0.3, min_struck=0)

    early, late = h.Left(at=1.2, request="a"), h.Left(at=0.9, request="a")

    assert "cancels" not in broken(add(early)(flawless(rules)))
    assert "cancels" in broken(add(late)(flawless(rules)))


def test_a_pool_that_comes_back_late_is_found() -> None:
    """The time from a healing to the next event is held against the bound, unless the pool was struck again."""
    tale = Tale(Rules(back_s=0.5, min_struck=0)).job("a")
    healed, event = h.Healed(at=3.0, nemesis="N"), h.Received(at=4.0, request="a", seq=9, status="token")

    late, struck = [*tale.end(), healed, event], [*tale.end(), healed, h.Struck(at=3.5, nemesis="N"), event]

    assert "recovery" in broken(late)
    assert "recovery" not in broken(struck)


def test_a_poisoned_job_must_end_as_poison() -> None:
    """Where a prompt must end in a code, any other end breaks the promise, and that code does not."""
    rules = Rules(must_end_in={"tale": "poisoned"}, min_struck=0, min_done=0)
    ends = [change(h.Over, place, how="error", code="poisoned") for place in range(3)]

    assert "C1" in broken(flawless(rules))
    assert "C1" not in broken(all_of(*ends)(flawless(rules)))


def test_a_lost_tail_is_no_fault_where_it_is_expected() -> None:
    """Where the broker may lose writes, a client's seqs need not be the log's; its text is held to the oracle still."""
    lost = all_of(change(h.Received, 1, content=""), change(h.Received, 2, content=""))
    shifted = all_of(drop(h.Logged, 5), *[change(h.Logged, place, seq=place - 4) for place in range(5, 10)])

    assert "C4" not in broken(flawless(Rules(is_tail_kept=False, min_struck=0)))
    assert "C4" in broken(lost(flawless(Rules(is_tail_kept=False, min_struck=0))))
    assert "C4" in broken(shifted(flawless(Rules(min_struck=0))))


def test_a_history_survives_being_written(tmp_path: Path) -> None:
    """A history read from its file is the one that was written, so it can be judged again."""
    history = h.History(tmp_path / "history.jsonl")

    for record in flawless():
        history.add(record)
    history.close()

    assert h.read_history((tmp_path / "history.jsonl").read_bytes().splitlines()) == flawless()
