"""Where prompts part: asked of the ids that a template writes."""

from collections.abc import Sequence

import pytest

from shared.errors import Refused
from shared.job import Ask, Message
from worker.engine.text.boundaries import Write, Written, boundaries_of
from worker.engine.text.prompt import prompt_of
from worker.engine.text.tokenizer import Tokenizer

NOW_MS = 1_767_268_800_000
ASK = Ask(messages=[Message(role="system", content="Be brief."), Message(role="user", content="안녕?")])


def ids_of(ask: Ask, tokenizer: Tokenizer) -> list[int]:
    """The ids of an ask's prompt."""
    return prompt_of(ask, tokenizer, vocabulary=49_152, now_ms=NOW_MS).ids


def words(messages: Sequence[Written], *, is_answered: bool) -> list[int]:
    """A template of single bytes."""
    text = "".join(f"<{message['role']}>{message['content']}" for message in messages)
    return list(f"{text}<me>".encode() if is_answered else text.encode())


def test_boundaries_are_asked_for(tokenizer: Tokenizer) -> None:
    """They cost another writing of the messages, so who can trim states does without."""
    assert prompt_of(ASK, tokenizer, vocabulary=49_152, now_ms=NOW_MS).boundaries == ()


def test_other_prompts_share_all_before_a_boundary(tokenizer: Tokenizer) -> None:
    """Another user's chat under the same system message, and the next turn of this one."""
    prompt = prompt_of(ASK, tokenizer, vocabulary=49_152, now_ms=NOW_MS, wants_boundaries=True)
    assert ASK.messages
    other = ids_of(Ask(messages=[ASK.messages[0], Message(role="user", content="Why?")]), tokenizer)
    answer = Message(role="assistant", content="그래.")
    following = ids_of(Ask(messages=[*ASK.messages, answer, Message(role="user", content="?")]), tokenizer)

    system, question = prompt.boundaries

    assert prompt.ids[:system] == other[:system]
    assert prompt.ids[:question] == following[:question]
    assert 0 < system < question < len(prompt.ids)


def test_a_turn_of_a_tool_has_its_boundary() -> None:
    """Whoever spoke last: what the model goes on from next time begins with it."""
    messages: list[Written] = [{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]
    whole = words(messages, is_answered=True)

    assert boundaries_of(whole, messages, words) == (len("<user>"), len("<user>a<tool>b"))


@pytest.mark.parametrize("is_refused_answered", [True, False])
def test_a_template_that_takes_no_such_messages_has_fewer_boundaries(is_refused_answered: bool) -> None:
    """The prompt itself was taken: nothing is wrong with the request."""
    messages: list[Written] = [{"role": "user", "content": "a"}]

    def picky(messages: Sequence[Written], *, is_answered: bool) -> list[int]:
        if is_answered == is_refused_answered:
            raise Refused("invalid_value", "No.", param="messages")
        return words(messages, is_answered=is_answered)

    write: Write = picky
    found = boundaries_of(words(messages, is_answered=True), messages, write)

    assert found == (() if is_refused_answered else (len("<user>"),))
