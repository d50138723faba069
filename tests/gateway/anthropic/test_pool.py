"""A pool of real processes, asked by Anthropic's SDK."""

from typing import Any

from anthropic import AsyncAnthropic

from tests.pool import MODEL, StartPool

from .speech import said_in


async def test_a_pool_answers_counts_and_stops(start_pool: StartPool) -> None:
    """A count is what the answer's prompt costs; a stop sequence ends the answer before it, and is named."""
    prompt: dict[str, Any] = {"model": MODEL, "system": "짧게.", "messages": [{"role": "user", "content": "안녕"}]}
    async with start_pool() as pool, AsyncAnthropic(base_url=str(pool.http.base_url), api_key="none") as sdk:
        count = await sdk.messages.count_tokens(**prompt)
        async with sdk.messages.stream(max_tokens=40, **prompt) as stream:
            text = "".join([text async for text in stream.text_stream])
            message = await stream.get_final_message()
        create: Any = sdk.messages.create
        stopped = await create(max_tokens=400, stop_sequences=["never", " "], **prompt)

    assert message.usage.input_tokens == count.input_tokens > 0
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 40)
    assert said_in(message) == [{"type": "text", "text": text}]
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", " ")
    assert " " not in "".join(block["text"] for block in said_in(stopped))
