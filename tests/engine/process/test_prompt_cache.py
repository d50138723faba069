"""The prompt cache as an engine's peer sees it: what it says was cached, and that nothing else has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from shared.job import Message
from worker.engine.wire import Cached, Done, Generate, Stats, Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.engine.wire import AnyReply

    from .conftest import Answer, Engine

HISTORY = "".join(f"In the year {year} the lighthouse was painted again. " for year in range(1900, 1925))
FIRST = Generate(messages=[Message(role="user", content=HISTORY)], seed=5, max_tokens=40, tenant="chats")


def next_turn(ask: Generate, answer: Answer, question: str) -> Generate:
    """The chat with its answer, and a question more."""
    assert ask.messages
    said = [Message(role="assistant", content=answer.text), Message(role="user", content=question)]
    return replace(ask, messages=[*ask.messages, *said])


def test_a_second_turn_pays_only_for_its_new_tokens(engine: Engine) -> None:
    """What it says is what an engine says that has never seen the chat: `cached_tokens` is all that differs."""
    first = engine.ask(FIRST)[0]
    second = next_turn(FIRST, first, "And then?")

    warm = engine.ask(second)[0]
    cold = engine.ask(replace(second, tenant="a stranger"))[0]

    assert warm.started
    assert cold.started
    assert warm.started.cached_tokens > first.done.usage.prompt_tokens - 8
    assert warm.done.usage.cached_tokens == warm.started.cached_tokens
    assert cold.started.cached_tokens == 0
    assert (warm.ids, warm.text, warm.started.prompt_hash) == (cold.ids, cold.text, cold.started.prompt_hash)


def test_the_cache_can_be_turned_off(start_engine: Callable[..., Engine]) -> None:
    """With a cap of 0 every prompt is read from its beginning."""
    engine = start_engine("--prompt-cache-mb", "0")
    engine.hear_ready()

    for answer in (engine.ask(FIRST)[0], engine.ask(FIRST)[0]):
        assert answer.done.usage.cached_tokens == 0


def test_stats_tell_what_the_cache_was_good_for(engine: Engine) -> None:
    """Memory held, hits, and the prompt tokens that needed no prefill."""
    ask = replace(FIRST, tenant="counted")
    engine.ask(ask)
    cached = engine.ask(ask)[0].done.usage.cached_tokens

    stats = engine.hear_until(lambda reply: isinstance(reply, Stats))[-1]

    assert isinstance(stats, Stats)
    assert stats.cache_bytes > 0
    assert stats.cache_hits >= 1
    assert stats.cache_saved_tokens >= cached > 0
    assert stats.prompt_tokens >= stats.cache_saved_tokens


def told(replies: Sequence[AnyReply]) -> tuple[list[str], list[str]]:
    """The names that were told to be served, and those that are no longer, in the order of their lines."""
    lines = [reply for reply in replies if isinstance(reply, Cached)]
    return [name for line in lines for name in line.stored], [name for line in lines for name in line.evicted]


def serve(engine: Engine, ask: Generate) -> list[AnyReply]:
    """All that is said until an ask has ended."""
    engine.write(ask)
    return engine.hear_until(lambda reply: isinstance(reply, Done) and reply.id == ask.id)


def test_what_a_turn_leaves_is_told_by_the_names_it_came_with(start_engine: Callable[..., Engine]) -> None:
    """The first turn's prompt is served when the second comes, whose state takes its place without a word of it."""
    engine = start_engine("--context", "2048")
    engine.hear_ready()
    first = replace(FIRST, id="1", prefixes=(("one", 400),))

    said = serve(engine, first)
    answer = "".join(reply.content for reply in said if isinstance(reply, Token))
    more = [Message(role="assistant", content=answer), Message(role="user", content=HISTORY[:300])]
    messages = [*(first.messages or []), *more]
    later = serve(engine, replace(first, id="2", messages=messages, prefixes=(("one", 400), ("two", 500))))

    assert told(said) == (["one"], [])
    assert told(later) == (["two"], [])


def test_what_has_to_make_room_is_told(start_engine: Callable[..., Engine]) -> None:
    """With a cap of a few chats the oldest go when the next ones come, and their names with them."""
    engine = start_engine("--context", "2048", "--prompt-cache-mb", "1")
    engine.hear_ready()

    said: list[AnyReply] = []
    for number in range(8):
        messages = [Message(role="user", content=f"{number} {HISTORY}")]
        said += serve(engine, replace(FIRST, id=str(number), messages=messages, prefixes=((f"chat {number}", 400),)))

    stored, evicted = told(said)
    assert stored == [f"chat {number}" for number in range(8)]
    assert evicted == stored[: len(evicted)]
    assert len(evicted) >= 4
