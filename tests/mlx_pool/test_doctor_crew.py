"""What the doctor says of queues and workers, by surveys that were made up."""

from typing import Any

import pytest
from msgspec import structs

from mlx_pool.doctor.crew import judge_crew
from shared.survey import Survey, WorkerView

WORKER = WorkerView(
    id="mac.1.ab",
    model="tiny",
    state="ready",
    slots=4,
    version="1.0",
    lease_ends_in_ms=900,
    note="GPU, weights as on disk",
)
SURVEY = Survey(
    model="tiny", now_ms=0, waiting={"std": 0}, running=0, oldest_wait_ms=0, workers=[WORKER], dead_letters=0
)


def found(worker: dict[str, Any] | None = None, **changed: Any) -> list[tuple[str, str]]:
    """Level and subject of all that is not in order, with some of the facts changed."""
    survey = structs.replace(SURVEY, workers=[structs.replace(WORKER, **(worker or {}))])
    findings = judge_crew([structs.replace(survey, **changed)], "1.0")
    return [(finding.level, finding.about) for finding in findings if finding.level != "ok"]


def test_a_pool_that_works_is_in_order() -> None:
    """Who serves what, on which path, in which version is told."""
    findings = list(judge_crew([SURVEY], "1.0"))

    assert {(finding.level, finding.about) for finding in findings} == {
        ("ok", "queues"), ("ok", "compute"), ("ok", "versions")
    }  # fmt: skip


def test_a_queue_that_nobody_serves_is_bad_once_jobs_wait() -> None:
    """A retired model is worth a look, a waiting job is a fault."""
    assert found(workers=[]) == [("warn", "queues")]
    assert found(workers=[], waiting={"std": 2}) == [("bad", "queues")]
    assert [finding.level for finding in judge_crew([], "1.0")] == ["warn"]


@pytest.mark.parametrize(
    ("state", "level"), [("loading", None), ("standby", None), ("draining", "bad"), ("gone", "bad")]
)
def test_workers_that_take_no_jobs_are_told_unless_they_will(state: str, level: str | None) -> None:
    """One that loads, or loads on demand, is in order."""
    queues = [each for each, about in found({"state": state}) if about == "queues"]

    assert queues == ([level] if level else [])


def test_jobs_that_wait_beside_free_seats_are_told_once_placement_can_not_be_why() -> None:
    """A job may be left to its home for fifteen seconds; bulk work leaves seats free on purpose."""
    assert found(waiting={"std": 1}, oldest_wait_ms=10_000) == []
    assert found(waiting={"std": 1}, oldest_wait_ms=30_000) == [("warn", "waiting")]
    assert found(waiting={"std": 1}, oldest_wait_ms=90_000) == [("bad", "waiting")]
    assert found(waiting={"lo": 9}, oldest_wait_ms=90_000) == []
    assert found({"busy": 4}, waiting={"std": 9}, oldest_wait_ms=90_000) == []


def test_what_was_given_up_or_set_apart_is_told() -> None:
    """With the commands that show it."""
    assert found(dead_letters=3) == [("warn", "dead letters")]
    assert found(waiting={"sus": 1}) == [("warn", "waiting")]


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        ({"state": "sick", "engine_deaths": 3}, ("bad", "workers")),
        ({"engine_deaths": 1}, ("warn", "workers")),
        ({"pressure": "hard"}, ("warn", "workers")),
        ({"note": "CPU, weights float32, reference BLAS: ten times faster with x"}, ("warn", "compute")),
        ({"note": "CPU, weights as on disk, OpenBLAS: float32 weights would be much faster"}, ("warn", "compute")),
        ({"note": "GPU, weights as on disk; slowed to 60 % by heat"}, ("warn", "compute")),
        ({"version": "0.9"}, ("warn", "versions")),
    ],
)
def test_a_worker_that_does_less_than_it_could_is_told(worker: dict[str, Any], expected: tuple[str, str]) -> None:
    """Each with what to do at that machine."""
    assert expected in found(worker)


def test_nothing_of_a_workers_words_steers_the_terminal() -> None:
    """Names, notes and states are others' words."""
    hostile = {"id": "a\x1b[2J.1.b", "note": "\x1b[31m; hot\x1b", "version": "\x1b]0;", "state": "\x1b[1m"}

    findings = judge_crew([structs.replace(SURVEY, workers=[structs.replace(WORKER, **hostile)])], "1.0")

    assert not any("\x1b" in finding.told + finding.advice for finding in findings)
