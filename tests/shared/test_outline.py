"""Outlines: equal beginnings have equal hashes, unequal ones none, and a conversation's next turn finds the last."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.job import Ask, Job, Message, TemplateKwargs
from shared.outline import (
    MAX_HOMES,
    MAX_PREFIXES,
    STEP_BYTES,
    CachePoint,
    Outline,
    Prefix,
    decode_outline,
    encode_outline,
    outline_of,
)
from shared.tools import CalledFunction, Function, PastCall, Tool

TEXT = some.text(max_size=6)
CALLS = some.lists(some.builds(PastCall, TEXT, some.just("function"), some.builds(CalledFunction, TEXT, TEXT)))
ASSISTANT = some.builds(
    Message, some.just("assistant"), content=some.none() | TEXT, tool_calls=CALLS.map(lambda calls: calls or None)
)
USER = some.builds(Message, some.just("user"), content=TEXT)
TOLD = USER | some.builds(Message, some.just("tool"), content=TEXT, tool_call_id=TEXT)
MESSAGE = TOLD | ASSISTANT | some.builds(Message, some.just("system"), content=TEXT)
MESSAGES = some.lists(MESSAGE, min_size=1, max_size=24)
FEW = some.lists(MESSAGE, min_size=1, max_size=8)
POINTS = some.lists(some.builds(CachePoint, some.integers(0, 25), some.integers(0, 8)), max_size=9)
HELLO = [Message("system", "be brief"), Message("user", "안녕하세요")]
TOOL = Tool("function", Function("look"))


def outlined(messages: list[Message], tenant: str = "", **more: Any) -> Outline:
    return outline_of(Job(messages=messages, **more), tenant)


def hashes(outline: Outline) -> set[str]:
    return {each.hash for each in (*outline.prefixes, *outline.homes)}


@given(FEW, FEW)
def test_what_is_appended_changes_no_earlier_boundary(messages: list[Message], more: list[Message]) -> None:
    """The longer prompt begins with all of the shorter one's beginnings."""
    shorter, longer = outlined(messages), outlined([*messages, *more])

    assert longer.prefixes[: len(messages)] == shorter.prefixes


@given(MESSAGES, some.data())
def test_a_changed_message_changes_all_boundaries_from_there(messages: list[Message], data: some.DataObject) -> None:
    """And none before it."""
    at = data.draw(some.integers(0, len(messages) - 1))
    changed = msgspec.structs.replace(messages[at], content=f"{messages[at].content or ''}.")

    was, now = (outlined(each).prefixes for each in (messages, [*messages[:at], changed, *messages[at + 1 :]]))

    same = at if len(messages) <= MAX_PREFIXES else max(at - len(messages) + MAX_PREFIXES, min(at, 1))
    assert now[:same] == was[:same]
    assert not {each.hash for each in now[same:]} & {each.hash for each in was}


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "other"},
        {"tools": [TOOL]},
        {"template_kwargs": TemplateKwargs(enable_thinking=False)},
        {"messages": [Message("system", "be verbose"), *HELLO[1:]]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_stands_before_all_messages_changes_every_boundary(other: dict[str, Any]) -> None:
    """Another tenant's prompt, or one that is told of other tools, is another prompt from its beginning."""
    changed: dict[str, Any] = {"messages": HELLO} | other

    assert not hashes(outlined(HELLO)) & hashes(outlined(**changed))


@pytest.mark.parametrize(
    "same",
    [
        {"temperature": 0.0, "max_tokens": 9, "stop": "x", "seed": 1, "logprobs": 2},
        {"tools": [TOOL], "tool_choice": "none"},
        {"template_kwargs": TemplateKwargs()},
        {"model": "m", "id": "a", "class_": "lo", "background": True, "stream": False},
    ],
    ids=["sampling", "tools that are not told of", "no template arguments", "delivery"],
)
def test_what_is_not_written_into_the_prompt_changes_nothing(same: dict[str, Any]) -> None:
    """How an answer is drawn and delivered has nothing to do with what is read."""
    assert outlined(HELLO, **same) == outlined(HELLO)


def test_a_turn_without_text_is_one_with_an_empty_one() -> None:
    """Clients send a turn that made calls back either way, and templates are told the same."""
    calls = [PastCall("1", "function", CalledFunction("look", "{}"))]

    assert outlined([Message("assistant", None, tool_calls=calls)]) == outlined(
        [Message("assistant", "", tool_calls=calls)]
    )


def test_a_prompt_is_a_conversation_of_one_message() -> None:
    """Both spellings are one prompt."""
    assert outline_of(Job(prompt="안녕"), "a") == outlined([Message("user", "안녕")], "a")


@given(MESSAGES, TOLD, ASSISTANT, some.lists(TOLD, min_size=1, max_size=3))
def test_a_turn_is_looked_for_where_the_turn_before_was(
    messages: list[Message], asked: Message, answer: Message, more: list[Message]
) -> None:
    """The whole prompt of a turn is the first home of the next one, be that a user's or what tools gave."""
    before, now = outlined([*messages, asked]), outlined([*messages, asked, answer, *more])

    assert now.homes[0] == before.prefixes[-1]


def test_the_root_is_a_conversations_last_home() -> None:
    """Tools, system prompt and first words: by these a conversation is found whose turns before are forgotten."""
    turns = [*HELLO, Message("assistant", "네"), Message("user", "a"), Message("assistant", "b"), Message("user", "c")]

    found = outlined(turns)

    assert found.homes == (found.prefixes[3], found.prefixes[1])
    assert outlined(HELLO).homes == outlined(HELLO).prefixes[1:]


@given(MESSAGES, POINTS, some.none() | some.just("name"), some.booleans())
def test_an_outline_is_small_and_comes_back_from_its_text(
    messages: list[Message], points: list[CachePoint], affinity: str | None, has_tools: bool
) -> None:
    """Up to 16 beginnings in rising order, the last of them the whole; up to 6 homes; no more than 1 KiB."""
    found = outline_of(Job(messages=messages, tools=[TOOL] if has_tools else None, affinity=affinity), "t", points)

    text = encode_outline(found)
    assert decode_outline(text) == found
    assert (len(text) <= 1_024, text.isascii()) == (True, True)
    assert len(found.prefixes) == min(len(messages), MAX_PREFIXES)
    assert 1 <= len(found.homes) <= MAX_HOMES
    assert found.prefixes[-1].tokens == found.tokens
    assert all(one.tokens <= other.tokens for one, other in pairwise(found.prefixes))


@given(some.text() | some.from_regex(r"\A[0-9]{1,9} [0-9a-f:,-]{0,60} [0-9a-f:,-]{0,60}\Z"))
def test_what_is_no_outline_says_nothing(text: str) -> None:
    """Whatever a producer writes there is read without a complaint, and never more of it than an outline holds."""
    found = decode_outline(text)

    assert decode_outline(encode_outline(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "5 - ",
        "5 - -\n",
        "-1 - -",
        "٥ - -",
        "5 - 0123456789ABCDEF:1",
        "5 - 0123456789abcdef:1,",
        "5 - " + ",".join(["0123456789abcdef:1"] * (MAX_PREFIXES + 1)),
        "5 " + ",".join(["0123456789abcdef:1"] * (MAX_HOMES + 1)) + " -",
    ],
)
def test_what_is_nearly_an_outline_says_nothing(text: str) -> None:
    """Half of it could send a job astray."""
    assert decode_outline(text) == Outline(0)


def test_hashes_are_the_same_on_every_machine() -> None:
    """Gateways of several versions of Python meet at one queue."""
    told = encode_outline(outlined(HELLO, "tenant", tools=[TOOL], affinity="a"))

    assert told == "32 f0a196bfecd13196:21,5ff95205dcd663f3:32 0608654eabf0c24b:21,5ff95205dcd663f3:32"


TEXTS = Job(prompt="가" * 3_000, kind="text"), Job(prompt="가" * 3_000 + "나", kind="text")
IDS = Job(tokens=list(range(2_250))), Job(tokens=[*range(2_250), 7], kind="text")


@pytest.mark.parametrize(("shorter", "longer"), [TEXTS, IDS], ids=["text", "ids"])
def test_what_is_no_conversation_has_boundaries_at_fixed_steps(shorter: Ask, longer: Ask) -> None:
    """What two prompts share they share by steps; the first is the home, and there is no turn before."""
    one, other = outline_of(shorter, ""), outline_of(longer, "")

    steps = [STEP_BYTES // 4, STEP_BYTES // 2, 2_250]
    assert [each.tokens for each in one.prefixes] == steps
    assert other.prefixes[:2] == one.prefixes[:2]
    assert other.prefixes[2].hash != one.prefixes[2].hash
    assert one.homes == one.prefixes[:1]
    assert not hashes(one) & hashes(outline_of(shorter, "other"))


def test_a_text_is_no_message() -> None:
    """With a chat template around it the same words are another prompt."""
    assert not hashes(outline_of(Job(prompt="a", kind="text"), "")) & hashes(outline_of(Job(prompt="a"), ""))


def test_a_count_has_no_home() -> None:
    """No engine reads its prompt, so nobody must be led to where it was counted."""
    assert outlined(HELLO, kind="count") == Outline(1)


def test_jobs_of_one_affinity_share_a_home() -> None:
    """However different their prompts are, with one tenant; no more than the first boundary is counted on."""
    jobs = [([Message("user", "a" * 400)], "t"), (HELLO, "t"), (HELLO, "other")]
    mine, mine_too, others = (outlined(messages, tenant, affinity="a") for messages, tenant in jobs)

    [shared] = hashes(mine) & hashes(mine_too)
    assert mine.homes == (Prefix(shared, mine.prefixes[0].tokens), mine.prefixes[0])
    assert not hashes(others) & hashes(mine_too)
    assert outlined(HELLO, affinity="b").homes[0].hash != outlined(HELLO, affinity="a").homes[0].hash


def test_a_marked_place_inside_a_message_is_a_home() -> None:
    """Two questions about one text share it, though no message of theirs is the same."""
    text = "a long text. " * 40
    asks = [Ask(messages=[HELLO[0], Message("user", f"{text}{question}?")]) for question in ("what", "why")]

    one, other = (outline_of(ask, "", [CachePoint(1, len(text))]) for ask in asks)

    [shared] = set(one.homes) & set(other.homes)
    assert one.prefixes[0].tokens < shared.tokens < one.tokens
    assert not set(one.homes) & set(outline_of(asks[1], "").homes)


def test_a_mark_at_a_messages_end_is_its_boundary() -> None:
    """So the mark finds what the turn before left there; the last four marks count, the deepest first."""
    turns = [Message("user", "a"), Message("assistant", "b")] * 4 + [Message("user", "c")]
    ends = [CachePoint(at, 1) for at in range(9)]

    found = outline_of(Ask(messages=turns), "", ends)

    assert found.homes == (*(found.prefixes[at] for at in (7 - 1, 8, 7, 5)), found.prefixes[0])
    assert outline_of(Ask(messages=turns), "", [CachePoint(2)]).homes[1] == found.prefixes[1]
