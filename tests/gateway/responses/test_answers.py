"""Responses with OpenAI's own client over a real socket: asked for and answered at once."""

import asyncio
import json
from typing import Any

from openai.types.responses import FunctionToolParam
from pydantic import BaseModel

from shared.event import Done, Token, TokenLogprob, ToolCall, Usage
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import tokens
from tests.gateway.openai.sdk import CALLED, STOP, answer, answered, openai_on

WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": True,
}
CALL = ToolCall(0, "call0", "get_weather", '{"city":"서울"}')
CUT = Done(reason="length", usage=Usage(prompt_tokens=5, completion_tokens=2))


class City(BaseModel):
    """What a schema is made from."""

    name: str
    people: int


async def test_a_response_is_answered(serving: Serving) -> None:
    """Text, status, counts, and what was asked for, as OpenAI would tell them."""
    async with serving() as served, openai_on(served) as client:
        asking = client.responses.with_raw_response.create(
            model="tiny", input="안녕하세요", instructions="짧게", metadata={"a": "b"}
        )
        raw, job = await answered(served, asking, *tokens("안", "녕"), STOP)

        told = raw.parse()
        assert told.id == f"resp_{raw.headers['x-job-id']}"
        assert (told.status, told.output_text, told.model) == ("completed", "안녕", "tiny")
        assert (told.instructions, told.metadata, told.incomplete_details) == ("짧게", {"a": "b"}, None)
        assert told.usage
        assert (told.usage.input_tokens, told.usage.output_tokens, told.usage.total_tokens) == (5, 2, 7)
        assert told.usage.input_tokens_details.cached_tokens == 4
        system, user = ("system", "짧게"), ("user", "안녕하세요")
        assert [(message["role"], message["content"]) for message in job["messages"]] == [system, user]


async def test_a_stream_has_openai_s_order(serving: Serving) -> None:
    """Created, in progress, an item with its part, deltas and ends, completed; numbered from 0 without a hole."""
    async with serving() as served, openai_on(served) as client:
        asking = client.responses.create(model="tiny", input="x", stream=True)
        stream, _ = await answered(served, asking, Token(reasoning="흠", tokens=[9]), *tokens("안", "", "녕"), STOP)
        events = [event async for event in stream]

        thought = ["output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"]
        said = ["output_item.added", "content_part.added", *["output_text.delta"] * 2, "output_text.done"]
        ends = ["content_part.done", "output_item.done"]
        kinds = ["created", "in_progress", *thought, *ends, *said, *ends, "completed"]
        assert [event.type for event in events] == [f"response.{kind}" for kind in kinds]
        assert [event.sequence_number for event in events] == list(range(len(kinds)))
        last = events[-1]
        assert last.type == "response.completed"
        assert [item.type for item in last.response.output] == ["reasoning", "message"]
        assert last.response.usage
        assert last.response.usage.output_tokens_details.reasoning_tokens == 1


async def test_tools_are_called_and_answered_in_two_turns(serving: Serving) -> None:
    """The answer's items go back as the client's own objects; the model is told what the tool said."""
    async with serving() as served, openai_on(served) as client:
        ask = client.responses.create
        items: list[Any] = [{"role": "user", "content": "날씨?"}]
        asking = ask(model="tiny", input=items, tools=[WEATHER], tool_choice="required")
        called = [Token(reasoning="흠", tokens=[1]), Token(tool_calls=[CALL], tokens=[2])]
        first, asked = await answered(served, asking, *called, CALLED)
        call = first.output[-1]
        assert call.type == "function_call"
        assert (json.loads(call.arguments), call.call_id) == ({"city": "서울"}, "call0")
        assert asked["tools"][0]["function"]["name"] == "get_weather"
        assert asked["tool_choice"] == "required"

        items += [item.model_dump() for item in first.output]
        items += [{"type": "function_call_output", "call_id": "call0", "output": "21 °C"}]
        second, asked = await answered(served, ask(model="tiny", input=items, tools=[WEATHER]), *tokens("맑음"), STOP)

        assert second.output_text == "맑음"
        assert [message["role"] for message in asked["messages"]] == ["user", "assistant", "tool"]
        assert asked["messages"][1]["tool_calls"][0]["function"]["arguments"] == CALL.arguments


async def test_a_streamed_call_is_gathered_by_the_client(serving: Serving) -> None:
    """A call begins, is told whole, and ends; text before and behind it are items of their own."""
    events = [*tokens("먼저"), Token(tool_calls=[CALL], tokens=[2]), *tokens("그리고", first=3)]
    async with serving() as served, openai_on(served) as client:
        streaming = client.responses.stream(model="tiny", input="x", tools=[WEATHER])
        answering = asyncio.create_task(answer(served, *events, CALLED))
        async with streaming as stream:
            kinds = [event.type async for event in stream]
            told = await stream.get_final_response()
        await answering

        assert [item.type for item in told.output] == ["message", "function_call", "message"]
        assert told.output_text == "먼저그리고"
        assert kinds.count("response.function_call_arguments.delta") == 1
        assert kinds.count("response.function_call_arguments.done") == 1


async def test_an_answer_of_a_schema_is_parsed(serving: Serving) -> None:
    """A model class in, an object of it out."""
    async with serving() as served, openai_on(served) as client:
        asking = client.responses.parse(model="tiny", input="x", text_format=City)
        told, job = await answered(served, asking, *tokens('{"name":"서울",', '"people":9}'), STOP)

        assert told.output_parsed == City(name="서울", people=9)
        schema = job["response_format"]["json_schema"]
        assert (schema["name"], schema["schema"]["required"]) == ("City", ["name", "people"])


async def test_logprobs_stand_beside_their_text(serving: Serving) -> None:
    """Also those whose text came later; in the deltas and in the whole."""
    entries = [TokenLogprob(text, -0.5, list(text.encode()), []) for text in ("a", "b")]
    events = [Token(tokens=[1], logprobs=entries[:1]), Token(content="ab", tokens=[2], logprobs=entries[1:])]
    async with serving() as served, openai_on(served) as client:
        asking = client.responses.create(
            model="tiny", input="x", include=["message.output_text.logprobs"], top_logprobs=0, stream=True
        )
        stream, job = await answered(served, asking, *events, STOP)
        told = [event async for event in stream]

        deltas = [event for event in told if event.type == "response.output_text.delta"]
        assert [[entry.token for entry in delta.logprobs] for delta in deltas] == [["a", "b"]]
        done = next(event for event in told if event.type == "response.output_text.done")
        assert [entry.token for entry in done.logprobs] == ["a", "b"]
        assert job["logprobs"] == 0


async def test_an_answer_that_was_cut_says_so(serving: Serving) -> None:
    """Incomplete, for its length; and its message too."""
    async with serving() as served, openai_on(served) as client:
        asking = client.responses.create(model="tiny", input="x", max_output_tokens=2)
        told, job = await answered(served, asking, *tokens("a", "b"), CUT)

        assert (told.status, told.max_output_tokens, job["max_tokens"]) == ("incomplete", 2, 2)
        assert told.incomplete_details
        assert told.incomplete_details.reason == "max_output_tokens"
        [message] = told.output
        assert message.type == "message"
        assert (message.status, told.output_text) == ("incomplete", "ab")


async def test_an_answer_of_nothing_has_an_empty_text(serving: Serving) -> None:
    """Clients look for a message and its text without asking whether there is one."""
    async with serving() as served, openai_on(served) as client:
        told, _ = await answered(served, client.responses.create(model="tiny", input="x"), STOP)

        [message] = told.output
        assert message.type == "message"
        assert message.content[0].type == "output_text"
        assert message.content[0].text == ""


async def test_a_client_that_leaves_in_mid_stream_cancels_the_job(serving: Serving, eventually: Eventually) -> None:
    """Nobody pays for tokens that nobody reads, but in the background."""
    async with serving() as served, openai_on(served) as client:
        asking = asyncio.create_task(client.responses.create(model="tiny", input="x", stream=True))
        job = await served.hand.claim()
        await served.hand.say(job, served.hand.started(job), *tokens("a"))
        stream = await asking
        await anext(aiter(stream))

        await stream.close()

        await eventually(lambda: served.hand.is_given_up(job), within=2)
        await served.hand.end(job, STOP)
