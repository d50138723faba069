"""OpenAI's own client on a gateway, and a worker's hand that answers it."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from shared.event import AnyEvent, Cancelled, Done, Usage
from tests.gateway.hand import Served

T = TypeVar("T")
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "안녕하세요"}]
CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
STOP = Done(reason="stop", usage=Usage(prompt_tokens=5, completion_tokens=2, cached_tokens=4))
CALLED = Done(reason="tool_calls", usage=Usage(prompt_tokens=5, completion_tokens=9))


def openai_on(served: Served, *, max_retries: int = 0, api_key: str = "none") -> AsyncOpenAI:
    """A client with nothing but its base URL changed."""
    url = f"http://127.0.0.1:{served.port}/v1"
    return AsyncOpenAI(base_url=url, api_key=api_key, max_retries=max_retries, timeout=20)


async def answered(served: Served, asking: Awaitable[T], *events: AnyEvent) -> tuple[T, dict[str, Any]]:
    """What a client gets of a job that ends with these events; and the job as it came on the queue."""
    return await asyncio.gather(asking, answer(served, *events))


async def answer(served: Served, *events: AnyEvent) -> dict[str, Any]:
    """End the next job with these events; the job as it came on the queue."""
    job = await served.hand.claim()
    if isinstance(events[-1], Cancelled):
        await served.http.delete(f"/chat/{job.id}")
    await served.hand.end(job, served.hand.started(job), *events)
    return json.loads(job.body)


def chunks_of(body: str) -> list[dict[str, Any]]:
    """The chunks of a stream that ended well."""
    *events, done, rest = body.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(event.removeprefix("data: ")) for event in events if not event.startswith(":")]


async def read_to_the_cut(served: Served, path: str, body: dict[str, Any]) -> tuple[str, bool]:
    """What came of a stream, and whether its end looked clean."""
    received: list[str] = []
    try:
        async with served.http.stream("POST", path, json=body) as answer:
            async for text in answer.aiter_text():
                received.append(text)  # noqa: PERF401 what came before the cut counts
    except httpx.RemoteProtocolError:
        return "".join(received), False
    return "".join(received), True
