"""Marked blocks: places in the pool's messages, by which a worker is looked for that has read as much."""

import json
from typing import Any

import pytest

from gateway.anthropic.reading import read_request
from gateway.anthropic.request import Asked
from gateway.anthropic.translation import Translated, answer_job
from shared.outline import CachePoint, Prefix, outline_of

from .speech import HELLO

MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral"}}
TEXT: dict[str, Any] = {"type": "text", "text": "four"}
USE: dict[str, Any] = {"type": "tool_use", "id": "1", "name": "look", "input": {}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "1", "content": [TEXT, TEXT]}
TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}


def translated(**fields: Any) -> Translated:
    """What a request becomes."""
    return answer_job(read_request(json.dumps(HELLO | fields).encode(), {}, Asked)[0])


def homes(**fields: Any) -> tuple[Prefix, ...]:
    """Where its job is looked for."""
    job, cache_points = translated(**fields)
    return outline_of(job, "", cache_points).homes


def said(*contents: Any) -> list[dict[str, Any]]:
    """A conversation that user and assistant take turns in."""
    return [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]


PLACES: list[tuple[dict[str, Any], list[CachePoint]]] = [
    ({}, []),
    ({"system": [TEXT | MARK]}, [CachePoint(0, 4)]),
    ({"system": [TEXT | MARK, TEXT, TEXT | MARK]}, [CachePoint(0, 4), CachePoint(0, 14)]),
    ({"system": [{"type": "text", "text": "x-anthropic-billing-header: a"}, TEXT | MARK]}, [CachePoint(0, 4)]),
    ({"system": "s", "messages": said([TEXT, TEXT | MARK, TEXT])}, [CachePoint(1, 9)]),
    ({"messages": [*said([TEXT]), *said([TEXT | MARK])]}, [CachePoint(0, 9)]),
    ({"messages": [*said([]), *said([TEXT | MARK])]}, [CachePoint(0, 4)]),
    ({"messages": said("a", [TEXT, USE | MARK], [RESULT | MARK, TEXT])}, [CachePoint(1, 4), CachePoint(2, 9)]),
    ({"messages": said("a", [USE], [RESULT | {"content": [TEXT | MARK, TEXT]}])}, [CachePoint(2, 9)]),
    ({"messages": said("a", [TEXT | MARK, TEXT], "b")}, [CachePoint(1, 4)]),
    ({"messages": [{"role": "system", "content": [TEXT | MARK]}, *said("a")], "system": "s"}, [CachePoint(0, 6)]),
    ({"tools": [TOOL | MARK]}, [CachePoint(0, 0)]),
    ({"tools": [TOOL | MARK], "system": "sys"}, [CachePoint(0, 3)]),
]


@pytest.mark.parametrize(("given", "places"), PLACES)
def test_a_mark_is_a_place_in_the_conversation(given: dict[str, Any], places: list[CachePoint]) -> None:
    """Also where texts or turns are joined; in a tool's result it is of the whole, on tools of the system prompt."""
    assert translated(**given).cache_points == places


@pytest.mark.parametrize("given", [given for given, _ in PLACES[1:]])
def test_a_mark_changes_nothing_in_the_job(given: dict[str, Any]) -> None:
    """It is the same prompt and the same body, whether clients mark it or not."""
    bare = json.loads(json.dumps(given).replace(", " + json.dumps(MARK)[1:-1], ""))

    assert "cache_control" not in json.dumps(bare)
    assert translated(**bare).job == translated(**given).job


def test_questions_about_one_marked_text_share_a_home() -> None:
    """Which is what clients set marks for; without one only equal first messages would be found."""
    text = TEXT | {"text": "a long text"}
    bare, marked = (
        [homes(messages=said([block, {"type": "text", "text": question}])) for question in ("what?", "why?")]
        for block in (text, text | MARK)
    )

    assert len(set(marked[0]) & set(marked[1])) == 1
    assert not set(bare[0]) & set(bare[1])


def test_an_agents_marks_lead_to_what_its_conversations_share() -> None:
    """Another conversation begins where the tools and the system prompt were read before."""
    shared = {"tools": [TOOL], "system": [TEXT | MARK]}
    one, other = (homes(**shared, messages=said([TEXT | {"text": text} | MARK])) for text in ("one", "other"))

    assert set(one) & set(other) == {one[-1]} == {other[-1]}
