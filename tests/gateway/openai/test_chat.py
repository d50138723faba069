"""Chat completions with OpenAI's own client over a real socket."""

import asyncio
import json
from typing import cast

from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from shared.event import Token, ToolCall
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import tokens

from .sdk import ASK, CALLED, CHAT, STOP, answer, answered, chunks_of, openai_on

WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": True,
    },
}
CALL = ToolCall(0, "call0", "get_weather", '{"city":"서울"}')


class City(BaseModel):
    """What a schema is made from."""

    name: str
    people: int


async def test_a_chat_is_answered(serving: Serving) -> None:
    """Text, reason, counts, and the name that was asked for, as OpenAI would tell them."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.with_raw_response.create(model="tiny", messages=ASK)
        raw, job = await answered(served, asking, *tokens("안", "녕"), STOP)

        told = raw.parse()
        assert told.id == f"chatcmpl-{raw.headers['x-job-id']}"
        assert (told.object, told.model) == ("chat.completion", "tiny")
        assert (told.choices[0].message.content, told.choices[0].finish_reason) == ("안녕", "stop")
        assert told.usage
        assert (told.usage.prompt_tokens, told.usage.completion_tokens, told.usage.total_tokens) == (5, 2, 7)
        assert told.usage.prompt_tokens_details
        assert told.usage.prompt_tokens_details.cached_tokens == 4
        assert job["messages"] == ASK


async def test_a_stream_has_openai_s_order(serving: Serving) -> None:
    """Role, deltas, reason, the end; the same id, time and model in all, and no counts that nobody asked for."""
    async with serving() as served:
        body = {"model": "tiny", "messages": ASK, "stream": True}
        told, _ = await answered(served, served.http.post(CHAT, json=body), *tokens("안", "", "녕"), STOP)

        chunks = chunks_of(told.text)
        assert told.headers["content-type"] == "text/event-stream"
        assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
            {"role": "assistant", "content": ""},
            {"content": "안"},
            {"content": "녕"},
            {},
        ]
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
        assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
        assert not any("usage" in chunk for chunk in chunks)


async def test_a_stream_tells_counts_to_who_asks(serving: Serving) -> None:
    """One more chunk without choices; every other one says that it has none."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.create(
            model="tiny", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
        stream, _ = await answered(served, asking, *tokens("a"), STOP)
        chunks = [chunk async for chunk in stream]

        assert [chunk.usage for chunk in chunks[:-1]] == [None] * 3
        assert all("usage" in chunk.model_fields_set for chunk in chunks)
        assert chunks[-1].choices == []
        assert chunks[-1].usage
        assert chunks[-1].usage.total_tokens == 7


async def test_tools_are_called_and_answered_in_two_turns(serving: Serving) -> None:
    """The assistant's turn goes back as the client's own object; the model is told what the tool said."""
    async with serving() as served, openai_on(served) as client:
        ask = client.chat.completions.create
        messages: list[ChatCompletionMessageParam] = [*ASK]
        asking = ask(model="tiny", messages=messages, tools=[WEATHER], tool_choice="required")
        first, asked = await answered(served, asking, Token(tool_calls=[CALL], tokens=[1]), CALLED)
        said = first.choices[0].message
        assert said.tool_calls
        assert said.tool_calls[0].type == "function"
        assert (first.choices[0].finish_reason, said.content) == ("tool_calls", None)
        assert json.loads(said.tool_calls[0].function.arguments) == {"city": "서울"}
        assert (asked["tools"], asked["tool_choice"]) == ([WEATHER], "required")

        messages.append(cast("ChatCompletionMessageParam", said.model_dump()))
        messages.append({"role": "tool", "tool_call_id": "call0", "content": "21 °C"})
        second, asked = await answered(served, ask(model="tiny", messages=messages), *tokens("맑음"), STOP)

        assert second.choices[0].message.content == "맑음"
        assert [message["role"] for message in asked["messages"]] == ["user", "assistant", "tool"]
        assert asked["messages"][1]["tool_calls"][0]["function"]["arguments"] == CALL.arguments


async def test_streamed_calls_are_gathered_by_the_client(serving: Serving) -> None:
    """A call is one delta with index, id, type and function; thoughts and text come beside it."""
    events = [
        Token(reasoning="흠", tokens=[1]),
        Token(content="잠시", tokens=[2]),
        Token(tool_calls=[CALL], tokens=[3]),
    ]
    async with serving() as served, openai_on(served) as client:
        streaming = client.chat.completions.stream(model="tiny", messages=ASK, tools=[WEATHER])
        answering = asyncio.create_task(answer(served, *events, CALLED))
        async with streaming as stream:
            deltas = [event.chunk.choices[0].delta async for event in stream if event.type == "chunk"]
            message = (await stream.get_final_completion()).choices[0].message
        await answering

        assert (message.role, message.content) == ("assistant", "잠시")
        assert message.tool_calls
        assert message.tool_calls[0].function.arguments == CALL.arguments
        assert [delta.model_extra for delta in deltas if delta.model_extra] == [{"reasoning_content": "흠"}]


async def test_an_answer_of_a_schema_is_parsed(serving: Serving) -> None:
    """A model class in, an object of it out."""
    async with serving() as served, openai_on(served) as client:
        asking = client.chat.completions.parse(model="tiny", messages=ASK, response_format=City)
        told, job = await answered(served, asking, *tokens('{"name":"서울",', '"people":9}'), STOP)

        assert told.choices[0].message.parsed == City(name="서울", people=9)
        schema = job["response_format"]["json_schema"]
        assert (schema["name"], schema["schema"]["required"]) == ("City", ["name", "people"])


async def test_a_client_that_leaves_in_mid_stream_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """Nobody pays for tokens that nobody reads."""
    async with serving() as served, openai_on(served) as client:
        asking = asyncio.create_task(client.chat.completions.create(model="tiny", messages=ASK, stream=True))
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        stream = await asking
        await anext(aiter(stream))

        await stream.close()

        await eventually(lambda: served.hand.is_given_up(job), within=2)
        await served.hand.end(job, STOP)


async def test_a_key_asks_for_one_answer_however_often(serving: Serving) -> None:
    """The replay, streamed or whole, has the id and the time of the first."""
    async with serving() as served, openai_on(served) as client:
        ask, key = client.chat.completions.create, {"Idempotency-Key": "mine"}
        first, _ = await answered(served, ask(model="tiny", messages=ASK, extra_headers=key), *tokens("a"), STOP)

        again = await ask(model="tiny", messages=ASK, extra_headers=key)
        stream = await ask(model="tiny", messages=ASK, extra_headers=key, stream=True)
        chunks = [chunk async for chunk in stream]

        assert again == first
        assert {(chunk.id, chunk.created) for chunk in chunks} == {(first.id, first.created)}
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "a"


async def test_hostile_text_comes_through_the_client(serving: Serving) -> None:
    """Line breaks of every kind, NUL, HTML, terminal escapes, emoji in pieces: the same text, streamed and whole."""
    texts = ("줄\u2028바꿈\u2029\x85\r\n", "\x00\x1b[31m", '<b>"\\', "👩‍👩‍👧\ufeff", "data: [DONE]\n\n")
    async with serving() as served, openai_on(served) as client:
        ask = client.chat.completions.create
        whole, _ = await answered(served, ask(model="tiny", messages=ASK), *tokens(*texts), STOP)
        stream, _ = await answered(served, ask(model="tiny", messages=ASK, stream=True), *tokens(*texts), STOP)

        assert [text for chunk in [chunk async for chunk in stream] if (text := chunk.choices[0].delta.content)] == [
            *texts
        ]
        assert whole.choices[0].message.content == "".join(texts)
