"""The engine without an agent: a prompt typed by hand, answered in the original engine's words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Engine


def answer_to(engine: Engine, *lines: str) -> list[dict[str, object]]:
    """Write lines as `echo` would, close stdin, and read everything up to the process's end."""
    engine.write("".join(f"{line}\n" for line in lines).encode())
    engine.hang_up()
    said: list[dict[str, object]] = []
    while line := engine.hear():
        said.append(json.loads(line))
    assert engine.wait() == 0, engine.errors()
    return said


def test_a_prompt_by_hand_is_answered_in_the_original_words(start_engine: Callable[..., Engine]) -> None:
    """loading, ready, token, done: without ids that nobody gave, and complete although stdin is long closed."""
    said = answer_to(start_engine(), '{"prompt":"안녕하세요","max_tokens":64}')

    words = [line["status"] for line in said]
    tokens = words.count("token")
    assert words == ["loading"] * words.count("loading") + ["ready"] + ["token"] * tokens + ["done"]
    assert words[0] == "loading"
    assert all("id" not in line for line in said)
    usage = said[-1]["usage"]
    assert isinstance(usage, dict)
    assert usage["completion_tokens"] == tokens <= 64


def test_several_prompts_by_hand_are_answered_and_told_apart_by_ids(start_engine: Callable[..., Engine]) -> None:
    """An id that was given is given back; a bad line is answered like a good one."""
    said = answer_to(
        start_engine(), '{"id":"a","prompt":"x","max_tokens":2}', '{"id":"b","prompt":"","max_tokens":2}', "nonsense"
    )

    ended = [(line["status"], line.get("id"), line.get("code")) for line in said if line["status"] in ("done", "error")]
    assert sorted(ended, key=str) == [
        ("done", "a", None),
        ("error", "b", "invalid_value"),
        ("error", None, "invalid_json"),
    ]


def test_a_line_that_is_no_text_is_answered_like_any_other(start_engine: Callable[..., Engine]) -> None:
    """Also where its id is what can't be read: whoever is asked next is heard."""
    engine = start_engine()
    engine.write(b'{"id":"\xe9","prompt":"x"}\n')

    said = answer_to(engine, '{"id":"next","prompt":"x","max_tokens":1}')

    ended = [(line["status"], line.get("id")) for line in said if line["status"] in ("done", "error")]
    assert ended == [("error", "\ufffd"), ("done", "next")]


def test_a_last_line_needs_no_newline(start_engine: Callable[..., Engine]) -> None:
    """`printf` is as good as `echo`."""
    engine = start_engine()
    engine.write(b'{"prompt":"x","max_tokens":1}')
    engine.hang_up()

    assert engine.wait() == 0
