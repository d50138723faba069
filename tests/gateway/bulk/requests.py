"""Files of requests, and a worker's hand that answers them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

from openai import AsyncOpenAI
from openai.types import Batch

from shared.claims import Claimed
from shared.errors import Fault
from shared.event import AnyEvent
from tests.gateway.hand import Served, tokens
from tests.gateway.openai.sdk import STOP

CHAT = "/v1/chat/completions"


def chat_line(number: int, **fields: Any) -> dict[str, Any]:
    """A chat that says its number."""
    body = {"model": "tiny", "messages": [{"role": "user", "content": f"q{number}"}], **fields}
    return {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": body}


def jsonl(*lines: dict[str, Any] | str) -> bytes:
    """Lines as a file."""
    return b"".join((each if isinstance(each, str) else json.dumps(each)).encode() + b"\n" for each in lines)


async def make_batch(client: AsyncOpenAI, data: bytes, endpoint: Any = CHAT, **fields: Any) -> Batch:
    """Upload a file and have it run."""
    file = await client.files.create(file=("in.jsonl", data), purpose="batch")
    return await client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **fields)


async def until_ended(client: AsyncOpenAI, batch: Batch, *, within_s: float = 15) -> Batch:
    """The batch at its end."""
    async with asyncio.timeout(within_s):
        while batch.status not in ("completed", "failed", "expired", "cancelled"):
            await asyncio.sleep(0.02)
            batch = await client.batches.retrieve(batch.id)
    return batch


async def results(client: AsyncOpenAI, file_id: str | None) -> dict[str, dict[str, Any]]:
    """A result file's lines by their names; none comes twice."""
    assert file_id
    lines = (await client.files.content(file_id)).text.splitlines()
    told = [json.loads(line) for line in lines]
    assert len({line["custom_id"] for line in told}) == len(told)
    return {line["custom_id"]: line for line in told}


def said(line: dict[str, Any]) -> str:
    """What a chat's result says."""
    return line["response"]["body"]["choices"][0]["message"]["content"]


@contextlib.asynccontextmanager
async def answering(served: Served) -> AsyncGenerator[list[dict[str, Any]]]:
    """Answer every job with its own question, as they come; the jobs that were run."""
    ran: list[dict[str, Any]] = []

    async def answer_all() -> None:
        while True:
            job = await _claim(served)
            ran.append(body := json.loads(job.body))
            await served.hand.end(job, served.hand.started(job), *_answer(body), STOP)

    working = asyncio.create_task(answer_all())
    try:
        yield ran
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _claim(served: Served) -> Claimed:
    while True:
        with contextlib.suppress(TimeoutError, Fault):
            return await served.hand.claim()


def _answer(body: dict[str, Any]) -> list[AnyEvent]:
    asked = body.get("prompt") or body["messages"][-1]["content"]
    return [*tokens(f"to {asked}")]
