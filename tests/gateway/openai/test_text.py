"""Text completions with OpenAI's own client over a real socket."""

from shared.event import Done, Usage
from tests.gateway.conftest import Serving
from tests.gateway.hand import tokens

from .sdk import STOP, TEXT, answered, chunks_of, openai_on

LONG = Done(reason="length", usage=Usage(prompt_tokens=2, completion_tokens=2))


async def test_a_text_is_gone_on_with(serving: Serving) -> None:
    """No chat template; OpenAI's own sixteen tokens."""
    async with serving() as served, openai_on(served) as client:
        asking = client.completions.with_raw_response.create(model="tiny", prompt="옛날")
        raw, job = await answered(served, asking, *tokens(" 옛적", "에"), LONG)

        told = raw.parse()
        assert told.id == f"cmpl-{raw.headers['x-job-id']}"
        assert (told.object, told.choices[0].text, told.choices[0].finish_reason) == (
            "text_completion",
            " 옛적에",
            "length",
        )
        assert (job["prompt"], job["kind"], job["max_tokens"]) == ("옛날", "text", 16)


async def test_token_ids_are_a_prompt(serving: Serving) -> None:
    """As they are, one list or several."""
    async with serving() as served, openai_on(served) as client:
        ask = client.completions.create
        _, flat = await answered(served, ask(model="tiny", prompt=[1, 2, 3]), STOP)
        _, nested = await answered(served, ask(model="tiny", prompt=[[4, 5]]), STOP)

        assert (flat["tokens"], nested["tokens"]) == ([1, 2, 3], [4, 5])


async def test_a_stream_is_texts_and_a_reason(serving: Serving) -> None:
    """The echo first, where it was asked for; counts last."""
    async with serving() as served:
        body = {"prompt": "옛날\u2028", "stream": True, "echo": True, "stream_options": {"include_usage": True}}
        told, _ = await answered(served, served.http.post(TEXT, json=body), *tokens(" 옛적", "", "에"), LONG)

        *chunks, counts = chunks_of(told.text)
        assert [chunk["choices"][0]["text"] for chunk in chunks] == ["옛날\u2028", " 옛적", "에", ""]
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "length"]
        assert {chunk["object"] for chunk in chunks} == {"text_completion"}
        assert (counts["choices"], counts["usage"]["total_tokens"]) == ([], 4)


async def test_a_client_reads_the_stream(serving: Serving) -> None:
    """Text by text, and no counts that nobody asked for."""
    async with serving() as served, openai_on(served) as client:
        asking = client.completions.create(model="tiny", prompt="x", stream=True)
        stream, _ = await answered(served, asking, *tokens("a", "b"), STOP)
        chunks = [chunk async for chunk in stream]

        assert "".join(chunk.choices[0].text for chunk in chunks) == "ab"
        assert not any(chunk.usage for chunk in chunks)
