"""A stream as its client has it, held against what it should be."""

import json
from typing import Any

from shared.job import Ask, seed_of
from worker.engine.scripted.oracle import expected


def events_of(ndjson: str) -> list[dict[str, Any]]:
    """Read the events of an NDJSON stream."""
    return [json.loads(line) for line in ndjson.split("\n") if line]


def workers_of(events: list[dict[str, Any]]) -> list[str]:
    """Name the machines that had the job, in their order."""
    return [event["worker"].partition(".")[0] for event in events if event["status"] == "started"]


def check_whole(
    events: list[dict[str, Any]], job_id: str, prompt: str, tokens: int, *, left_out: int | None = None
) -> None:
    """Check that nothing is missing and nothing told twice, however many had a part in it.

    `left_out` is the number of an event that the gateway did not know.
    """
    numbers = [event["seq"] for event in events]
    assert numbers == [n for n in range(1, numbers[-1] + 1) if n != left_out]
    assert [event["status"] for event in events if event["status"] in {"done", "error", "cancelled"}] == ["done"]
    answer = expected(Ask(prompt=prompt, max_tokens=tokens), seed_of(job_id))
    assert "".join(event.get("content", "") for event in events) == answer.text
    assert events[-1]["usage"]["completion_tokens"] == len(answer.ids)
