"""An answer of one call at most, asked for with OpenAI's and Anthropic's own clients, on a pool of real processes."""

from collections.abc import Callable
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.pool import MODEL

StartPool = Callable[..., Any]
CALLING = "[[call@3]] [[call@6]]"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
MOST = 20


async def chatted(pool: Any, *, is_parallel: bool) -> tuple[int, str, int]:
    """The calls of a chat completion, its reason, and how long it was."""
    function: Any = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
    async with AsyncOpenAI(base_url=f"{pool.http.base_url}/v1", api_key="x") as client:
        told = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": CALLING}],
            tools=[function],
            parallel_tool_calls=is_parallel,
            max_tokens=MOST,
        )
    assert told.usage
    calls = told.choices[0].message.tool_calls or []
    return len(calls), told.choices[0].finish_reason, told.usage.completion_tokens


async def responded(pool: Any, *, is_parallel: bool) -> tuple[int, str, int]:
    """Those of a response."""
    function: Any = {"type": "function", "name": "f", "parameters": SCHEMA}
    async with AsyncOpenAI(base_url=f"{pool.http.base_url}/v1", api_key="x") as client:
        told = await client.responses.create(
            model=MODEL, input=CALLING, tools=[function], parallel_tool_calls=is_parallel, max_output_tokens=MOST
        )
    assert told.parallel_tool_calls is is_parallel
    assert told.usage
    calls = [each for each in told.output if each.type == "function_call"]
    return len(calls), told.status or "", told.usage.output_tokens


async def messaged(pool: Any, *, is_parallel: bool) -> tuple[int, str, int]:
    """Those of a message."""
    async with AsyncAnthropic(base_url=str(pool.http.base_url), api_key="none") as client:
        told = await client.messages.create(
            model=MODEL,
            messages=[{"role": "user", "content": CALLING}],
            tools=[{"name": "f", "input_schema": {"type": "object"}}],
            tool_choice={"type": "auto", "disable_parallel_tool_use": not is_parallel},
            max_tokens=MOST,
        )
    calls = [block for block in told.content if block.type == "tool_use"]
    return len(calls), told.stop_reason or "", told.usage.output_tokens


async def test_who_wants_one_call_gets_one(start_pool: StartPool) -> None:
    """The answer ends with it, and costs no more; who takes several gets them all."""
    ways = [
        (chatted, "tool_calls", "length"),
        (responded, "completed", "incomplete"),
        (messaged, "tool_use", "max_tokens"),
    ]
    async with start_pool(step_ms=1) as pool:
        for ask, called, cut in ways:
            assert await ask(pool, is_parallel=False) == (1, called, 3)
            assert await ask(pool, is_parallel=True) == (2, cut, MOST)
