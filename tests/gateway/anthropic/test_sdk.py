"""Anthropic's SDK as it is, with the gateway in place of Anthropic."""

import asyncio
from typing import Any

import pytest
from anthropic import APIStatusError, APITimeoutError

from shared.event import Error, Token, ToolCall
from shared.job import TemplateKwargs
from shared.limits import write_limits
from tests.gateway.conftest import Eventually
from tests.gateway.hand import MODEL, tokens

from .conftest import Asking
from .speech import HELLO, ended, job_in, messages_in, said_in

WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALL = ToolCall(0, "4wqnzp2k9", "get_weather", '{"city":"서울"}')


async def test_a_message_is_answered(asking: Asking) -> None:
    """`create` gives one text, why it ended, and the engine's own counts."""
    async with asking() as asked:
        job, message = await asked.create(HELLO, *tokens("안녕", "하세요"), ended(cached=1))

    assert said_in(message) == [{"type": "text", "text": "안녕하세요"}]
    assert (message.id, message.model, message.role) == (f"msg_{job.id}", "tiny", "assistant")
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (2, 1, 2)


async def test_text_streams(asking: Asking) -> None:
    """`stream` gives every text as it comes, and at last the message that `create` would have given."""
    async with asking() as asked:
        job, stream = await asked.begin(HELLO)
        async with stream:
            await asked.served.hand.say(job, *tokens("안", "녕\u2028"))
            texts = [await anext(stream.text_stream), await anext(stream.text_stream)]
            began_with = stream.current_message_snapshot.usage.input_tokens
            await asked.served.hand.end(job, *tokens("👩‍👩‍👧", first=3), ended("length"))
            texts += [text async for text in stream.text_stream]
            message = await stream.get_final_message()

    assert (texts, began_with) == (["안", "녕\u2028", "👩‍👩‍👧"], 3)
    assert said_in(message) == [{"type": "text", "text": "".join(texts)}]
    assert (message.id, message.stop_reason, message.usage.output_tokens) == (f"msg_{job.id}", "max_tokens", 2)


@pytest.mark.parametrize("way", ["create", "stream"])
async def test_a_tool_is_called_and_its_result_taken_up(asking: Asking, way: str) -> None:
    """The loop of every agent: a call comes, its result goes back, and the model reads both."""
    async with asking() as asked:
        ask, request = getattr(asked, way), HELLO | {"tools": [WEATHER]}

        call = Token(content="잠시만요.", tool_calls=[CALL], tokens=[1])
        _, message = await ask(request, call, ended("tool_calls"))
        text, use = said_in(message)
        assert (message.stop_reason, text) == ("tool_use", {"type": "text", "text": "잠시만요."})
        assert use == {"type": "tool_use", "id": CALL.id, "name": CALL.name, "input": {"city": "서울"}}

        result = {"type": "tool_result", "tool_use_id": use["id"], "content": [{"type": "text", "text": "21 °C"}]}
        turns = [*HELLO["messages"], message.to_param(), {"role": "user", "content": [result]}]
        job, message = await ask(request | {"messages": turns}, *tokens("21도입니다."), ended())
        _, called, given = messages_in(job)
        assert called.tool_calls
        assert (called.content, called.tool_calls[0].function.arguments) == ("잠시만요.", CALL.arguments)
        assert (given.role, given.content, given.tool_call_id) == ("tool", "21 °C", CALL.id)
        assert said_in(message) == [{"type": "text", "text": "21도입니다."}]


@pytest.mark.parametrize("way", ["create", "stream"])
async def test_thoughts_come_as_thinking(asking: Asking, way: str) -> None:
    """Thoughts are a block of their own before the answer, and may come back in the next turn."""
    async with asking() as asked:
        ask, request = getattr(asked, way), HELLO | {"thinking": {"type": "enabled", "budget_tokens": 2_000}}
        thoughts = [Token(reasoning="hm", tokens=[1]), Token(reasoning=" …", content="a", tokens=[2])]
        job, message = await ask(request, *thoughts, *tokens("b", first=3), ended())

        thinking, text = said_in(message)
        assert (thinking["type"], thinking["thinking"], text) == ("thinking", "hm …", {"type": "text", "text": "ab"})
        assert thinking["signature"]
        assert job_in(job).template_kwargs == TemplateKwargs(enable_thinking=True)

        turns = [*HELLO["messages"], message.to_param(), {"role": "user", "content": "c"}]
        job, _ = await ask(HELLO | {"messages": turns}, *tokens("d"), ended())
        assert [each.content for each in messages_in(job)] == ["안녕", "ab", "c"]
        assert job_in(job).template_kwargs == TemplateKwargs(enable_thinking=False)


@pytest.mark.parametrize("way", ["create", "stream"])
async def test_a_warning_breaks_nothing(asking: Asking, way: str) -> None:
    """Who looks for it finds it; to who does not, the message is as ever."""
    async with asking() as asked:
        unread = Token(content="<tool_call>{", warning="This could not be read as a call.", tokens=[2])
        _, message = await getattr(asked, way)(HELLO, *tokens("a"), unread, *tokens("b", first=3), ended())

    assert said_in(message) == [{"type": "text", "text": "a<tool_call>{b"}]
    assert (message.model_extra or {}).get("warnings") == ([unread.warning] if way == "create" else None)


async def test_a_stop_sequence_is_named(asking: Asking) -> None:
    """Who gave several learns which one was found."""
    async with asking() as asked:
        job, message = await asked.create(HELLO | {"stop_sequences": ["END", "\n\n"]}, *tokens("a"), ended(stop="END"))

    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert job_in(job).stops == ("END", "\n\n")


async def test_tokens_are_counted_by_the_engine(asking: Asking) -> None:
    """A count is a job: with the template, system and tools, as the answer would have them."""
    prompt: dict[str, Any] = {"model": MODEL, "system": "짧게.", "messages": HELLO["messages"], "tools": [WEATHER]}
    async with asking() as (served, sdk):
        counting = asyncio.create_task(sdk.messages.count_tokens(**prompt))
        job = await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), ended())

        assert (await counting).input_tokens == 3
        assert job_in(job).kind == "count"
        assert [each.role for each in messages_in(job)] == ["system", "user"]
        assert [tool.function.name for tool in job_in(job).offered] == ["get_weather"]


async def test_leaving_a_stream_cancels_its_job(asking: Asking, eventually: Eventually) -> None:
    """Nobody pays for text that nobody reads."""
    async with asking() as asked:
        job, stream = await asked.begin(HELLO)
        async with stream:
            await asked.served.hand.say(job, *tokens("a"))
            assert await anext(stream.text_stream) == "a"

        await eventually(lambda: asked.served.hand.is_given_up(job))


async def test_a_client_that_waits_no_longer_cancels_its_job(asking: Asking, eventually: Eventually) -> None:
    """A timeout of the SDK's is a client that leaves."""
    async with asking(timeout=0.3) as asked:
        creating = asked.asking(HELLO)
        job = await asked.served.hand.claim()
        with pytest.raises(APITimeoutError):
            await creating

        await eventually(lambda: asked.served.hand.is_given_up(job))


async def test_a_failure_in_mid_stream_is_an_error(asking: Asking) -> None:
    """A stream that fails is no message that ended."""
    async with asking() as asked:
        job, stream = await asked.begin(HELLO)
        async with stream:
            await asked.served.hand.say(job, *tokens("a"))
            assert await anext(stream.text_stream) == "a"
            await asked.served.hand.end(job, Error(code="engine_failed", message="no"))
            with pytest.raises(APIStatusError) as raised:
                await stream.get_final_message()

    assert (raised.value.type, raised.value.api_message) == ("api_error", "no")
    assert raised.value.request_id


async def test_the_sdk_comes_again_when_it_is_told_to(asking: Asking, eventually: Eventually) -> None:
    """A full queue is no failure for who retries: it waits as long as it was asked to."""
    async with asking(max_retries=2) as asked:
        hand, http = asked.served.hand, asked.served.http
        await write_limits(hand.broker, MODEL, {"waiting": 1})
        await http.post("/chat", json={"prompt": "x", "background": True, "stream": False})
        creating = asked.asking(HELLO)

        async def was_refused() -> bool:
            return 'status="429"' in (await http.get("/metrics")).text

        await eventually(was_refused)
        await hand.generate("the first")
        await hand.generate("the second")
        assert said_in(await creating) == [{"type": "text", "text": "the second"}]


async def test_the_sdk_does_not_repeat_work_that_failed(asking: Asking) -> None:
    """What ended an engine once would end it again."""
    async with asking(max_retries=2) as asked:
        creating = asked.asking(HELLO)
        job = await asked.served.hand.claim()
        await asked.served.hand.end(job, Error(code="poisoned", message="no"))
        with pytest.raises(APIStatusError) as raised:
            await creating

        assert raised.value.status_code == 500
        assert (await asked.served.hand.queue.survey()).waiting_total == 0
