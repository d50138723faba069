"""Warnings, which OpenAI's API has no place for: its client finds them where it looks, and is disturbed by none."""

from shared.event import Token
from tests.gateway.conftest import Serving

from .sdk import ASK, STOP, answered, openai_on

UNREAD = Token(content="<tool_call>{", warning="This could not be read as a call.", tokens=[1])


async def test_a_chats_warning_breaks_nothing(serving: Serving) -> None:
    """Whole and as a stream."""
    async with serving() as served, openai_on(served) as client:
        ask = client.chat.completions.create
        whole, _ = await answered(served, ask(model="tiny", messages=ASK), UNREAD, STOP)
        stream, _ = await answered(served, ask(model="tiny", messages=ASK, stream=True), UNREAD, STOP)
        chunks = [chunk async for chunk in stream]

    told = [chunk.model_extra["warning"] for chunk in chunks if chunk.model_extra and "warning" in chunk.model_extra]
    assert whole.choices[0].message.content == UNREAD.content
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == UNREAD.content
    assert (whole.model_extra or {})["warnings"] == told == [UNREAD.warning]


async def test_a_responses_warning_breaks_nothing(serving: Serving) -> None:
    """Whole, and with the end of a stream."""
    async with serving() as served, openai_on(served) as client:
        whole, _ = await answered(served, client.responses.create(model="tiny", input="x"), UNREAD, STOP)
        stream, _ = await answered(served, client.responses.create(model="tiny", input="x", stream=True), UNREAD, STOP)
        [completed] = [event async for event in stream if event.type == "response.completed"]

    assert whole.output_text == completed.response.output_text == UNREAD.content
    assert (whole.model_extra or {})["warnings"] == [UNREAD.warning]
    assert (completed.response.model_extra or {})["warnings"] == [UNREAD.warning]
