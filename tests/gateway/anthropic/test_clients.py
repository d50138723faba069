"""Requests as real clients send them, over a real socket."""

import asyncio
import json
from typing import Any

import pytest

from shared.event import Error
from shared.job import Message
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, tokens

from .speech import ended, events_in, job_in, messages_in

EPHEMERAL = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"command": {"type": "string", "description": "The command"}, "timeout": {"type": "number"}},
    "required": ["command"],
    "additionalProperties": False,
}
USE = {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "Bash", "input": {"command": "ls"}}
RESULT = {"type": "tool_result", "tool_use_id": USE["id"], "content": "README.md", "is_error": False}
# Claude Code, in the middle of its loop.
AGENT: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 32_000,
    "stream": True,
    "temperature": 1,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.175.a3f; cc_entrypoint=cli; cch=36ee5;"},
        {"type": "text", "text": "You are a coding agent.", **EPHEMERAL},
        {"type": "text", "text": "# Environment\ndarwin", **EPHEMERAL},
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>\nThe date\n</system-reminder>"},
                {"type": "text", "text": "list the files", **EPHEMERAL},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "ls will do", "signature": "EqQBCgIYAhIM"},
                {"type": "text", "text": "I'll look."},
                USE | {"caller": {"type": "direct"}},
            ],
        },
        {"role": "user", "content": [RESULT | EPHEMERAL, {"type": "text", "text": "<system-reminder/>"}]},
    ],
    "tools": [
        {"name": name, "description": "…", "input_schema": SCHEMA, "eager_input_streaming": True}
        for name in ["Bash", "Read", "mcp__server__do_things", *(f"Tool{at}" for at in range(60))]
    ],
    "tool_choice": {"type": "auto"},
    "metadata": {"user_id": "user_0123_account__session_4567"},
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "high"},
}
AGENT_HEADERS = {
    "x-api-key": "none",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "x-app": "cli",
}
HEARD = [
    ("system", "You are a coding agent.\n# Environment\ndarwin"),
    ("user", "<system-reminder>\nThe date\n</system-reminder>\nlist the files"),
    ("assistant", "I'll look."),
    ("tool", "README.md"),
    ("user", "<system-reminder/>"),
]


def heard(messages: list[Message]) -> list[tuple[str, str | None]]:
    """Who says what."""
    return [(message.role, message.content) for message in messages]


async def test_an_agents_request_is_answered(serving: Serving) -> None:
    """What Claude Code sends in the middle of its loop runs as it is; what had no effect is told."""
    async with serving() as served:
        posting = served.http.post("/v1/messages?beta=true", json=AGENT, headers=AGENT_HEADERS)
        asking = asyncio.create_task(posting)
        job = await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), *tokens("One file."), ended())
        answer = await asking

        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [name for name, _ in events_in(answer.content)][-1] == "message_stop"
        assert heard(messages_in(job)) == HEARD
        assert (len(job_in(job).offered), job_in(job).max_tokens) == (63, 32_000)
        ignored = set(answer.headers["x-mlx-pool-ignored"].split(", "))
        assert ignored == {
            *("metadata", "context_management", "anthropic-beta", "system[].cache_control.ttl"),
            *("messages[].content[].cache_control.ttl", "messages[].content[].caller", "tools[].eager_input_streaming"),
        }


@pytest.mark.parametrize("thinking", [{"type": "enabled", "budget_tokens": 31_999}, {"type": "disabled"}, None])
async def test_older_agents_say_thinking_otherwise(serving: Serving, thinking: dict[str, Any] | None) -> None:
    """However thinking is asked for, it is the template that is told."""
    request = AGENT | {"thinking": thinking}
    async with serving() as served:
        asking = asyncio.create_task(served.http.post("/v1/messages?beta=true", json=request, headers=AGENT_HEADERS))
        job = await served.hand.generate("a")

        assert (await asking).status_code == 200
        told = job_in(job).template_kwargs
        assert told is not None
        assert told.enable_thinking is (thinking is not None and thinking["type"] == "enabled")


async def test_an_agent_counts_its_context(serving: Serving) -> None:
    """The same body, without what a count does not need, is counted as it would be read."""
    counted = {name: AGENT[name] for name in ("model", "system", "messages", "tools", "thinking")}
    async with serving() as served:
        posting = served.http.post("/v1/messages/count_tokens?beta=true", json=counted, headers=AGENT_HEADERS)
        asking = asyncio.create_task(posting)
        job = await served.hand.generate()

        assert (await asking).json() == {"input_tokens": 3}
        assert heard(messages_in(job)) == HEARD


async def test_the_name_that_was_asked_for_is_answered(serving: Serving) -> None:
    """Clients look for the model that they named, also where an alias stands for another."""
    request = AGENT | {"model": "claude-opus-4-6", "stream": False}
    async with serving(model_alias=f"*={MODEL}") as served:
        asking = asyncio.create_task(served.http.post("/v1/messages", json=request))
        await served.hand.generate("a")

        assert (await asking).json()["model"] == "claude-opus-4-6"


async def test_a_key_attaches_to_the_answer_that_is_there(serving: Serving) -> None:
    """Asked again under the same key, an answer is told again; it is not generated twice."""
    async with serving() as served:
        headers = {"idempotency-key": "mine"}
        asking = asyncio.create_task(served.http.post("/v1/messages", json=AGENT, headers=headers))
        job = await served.hand.generate("a", "b")
        first = await asking
        again = await served.http.post("/v1/messages", json=AGENT, headers=headers)

        assert first.headers["x-job-id"] == again.headers["x-job-id"] == job.id
        assert said_by(first.content) == said_by(again.content) == "ab"
        other = await served.http.post("/v1/messages", json=AGENT | {"temperature": 0.5}, headers=headers)
        assert (other.status_code, other.json()["error"]["type"]) == (422, "invalid_request_error")


def said_by(body: bytes) -> str:
    """The text of a stream."""
    return "".join(event["delta"].get("text", "") for name, event in events_in(body) if name == "content_block_delta")


async def test_a_failed_stream_never_looks_like_a_finished_one(serving: Serving) -> None:
    """Behind its error event a stream is cut off without the end of the chunked body."""
    async with serving() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        body = json.dumps(AGENT).encode()
        head = b"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        writer.write(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        await reader.readuntil(b"text_delta")
        await served.hand.end(job, Error(code="engine_failed", message="no"))
        rest = await reader.read()
        writer.close()

        assert b"event: error\ndata: " in rest
        assert not rest.endswith(b"0\r\n\r\n")
