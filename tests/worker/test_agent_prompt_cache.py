"""From a producer's outline to the engine's prompt cache: real workers, and an engine that keeps what it read."""

import json

from shared.job import Ask, Message
from shared.outline import encode_outline, outline_of

from .conftest import Site, Sites, Story

CACHE = "--step-ms 1 --prompt-cache-tokens 10000"
HISTORY = "The lighthouse was painted again. " * 40


async def turn(here: Site, *contents: str) -> Story:
    """Put a turn of a chat on the queue, as a producer does that outlines it; wait for its end."""
    messages = [Message(role="assistant" if at % 2 else "user", content=content) for at, content in enumerate(contents)]
    told = [{"role": message.role, "content": message.content} for message in messages]
    body = json.dumps({"messages": told, "max_tokens": 10}).encode()
    outline = encode_outline(outline_of(Ask(messages=messages), ""))
    return await here.story(await here.put_raw(body, outline=outline))


async def test_an_outline_finds_what_the_engine_has_read(site: Sites) -> None:
    """The next turn pays for its new tokens only; an engine that was started anew has read nothing."""
    async with site() as here:
        here.start(engine=CACHE)
        await here.ready()

        first = await turn(here, HISTORY)
        second = await turn(here, HISTORY, first.text, "And then?")
        await here.story(await here.put("[[crash@+5]]", max_tokens=8))
        third = await turn(here, HISTORY, first.text, "And then?", second.text, "Why?")

        assert [story.starts[0].cached_tokens > 300 for story in (first, second, third)] == [False, True, False]
        assert second.starts[0].prompt_tokens - second.starts[0].cached_tokens < 20
        second.assert_undisturbed()
