"""The scripted engine against its oracle: whatever is asked, in whatever company, the answer is the one foretold."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from shared.event import TokenLogprob
from shared.grammar import JsonObject, Regex
from shared.job import Message
from shared.tools import Function, Tool
from worker.engine.scripted.batch import Batch, Step
from worker.engine.scripted.oracle import expected
from worker.engine.scripted.settings import Settings
from worker.engine.scripted.vocabulary import EOS, PIECES, Vocabulary, Words
from worker.engine.wire import (
    AnyReply,
    Done,
    Error,
    Generate,
    HandedBack,
    Prefill,
    Resume,
    Started,
    Token,
    decode_reply,
)

STEP_NS = 1_000_000
TOOLS = [Tool("function", Function(name)) for name in ("f", "g")]


def told(batch: Batch, now_ns: int = 0) -> list[AnyReply]:
    """What a batch says from its next admission and step."""
    lines = batch.admit(now_ns) + batch.step(now_ns).lines
    return [decode_reply(line) for line in lines.splitlines()]


def answered(asks: Iterable[Generate], **settings: int | str | None) -> dict[str, list[AnyReply]]:
    """All that an engine says to requests that come together, by id."""
    batch = Batch(Settings(**settings))  # pyright: ignore[reportArgumentType] the fields used are ints and words
    said: dict[str, list[AnyReply]] = {}
    lines = b"".join(batch.take(ask, is_by_hand=False, now_ns=0) for ask in asks)
    replies = [decode_reply(line) for line in lines.splitlines()]
    while replies or not batch.is_idle:
        for reply in replies:
            said.setdefault(getattr(reply, "id", ""), []).append(reply)
        replies = [] if batch.is_idle else told(batch)
    return said


def text_of(replies: Iterable[AnyReply]) -> str:
    return "".join(reply.content for reply in replies if isinstance(reply, Token))


def logprobs_of(replies: Iterable[AnyReply]) -> list[TokenLogprob]:
    return [entry for reply in replies if isinstance(reply, Token) for entry in reply.logprobs]


def ids_of(replies: Iterable[AnyReply]) -> list[int]:
    return [token for reply in replies if isinstance(reply, Token) for token in reply.tokens]


def test_an_answer_is_the_one_foretold() -> None:
    """Text, ids, reason and usage of every generation in a full batch are the oracle's."""
    asks = [Generate(id=str(n), prompt=f"안녕 {n}", seed=n, max_tokens=40 + n) for n in range(20)]

    said = answered(asks, slots=16, eos_every=50)

    for ask in asks:
        text, ids, reason, _ = expected(ask, ask.seed or 0, eos_every=50)
        last = said[ask.id][-1]
        assert (text_of(said[ask.id]), ids_of(said[ask.id])) == (text, ids)
        assert isinstance(last, Done)
        assert (last.reason, last.usage.completion_tokens) == (reason, len(ids))


@pytest.mark.parametrize("stop", [None, "e", ["안녕", ". ", "하"]])
def test_resumed_at_any_id_equals_uninterrupted(stop: str | list[str] | None) -> None:
    """An attempt that goes on after k ids says what the first would have said behind its k-th, for every k."""
    whole = Generate(id="0", prompt="이어서", seed=7, max_tokens=60, stop=stop)
    first = [reply for reply in answered([whole], eos_every=80)["0"] if isinstance(reply, Token)]
    ids = ids_of(first)

    for k in range(len(ids) + 1):
        resumed = Generate(id="0", prompt="이어서", seed=7, max_tokens=60, stop=stop, resume=Resume(ids[:k]))
        said = answered([resumed], eos_every=80)["0"]
        assert [reply for reply in said if isinstance(reply, Token)] == first[k:]
        assert isinstance(last := said[-1], Done)
        assert last.usage.completion_tokens == len(ids)


@pytest.mark.parametrize("count", [0, 3])
def test_logprobs_are_the_ones_foretold(count: int) -> None:
    """One an id but for the end, also behind a resume; their bytes are the text's, and nobody else has any."""
    ask = Generate(id="0", prompt="이어서", seed=7, max_tokens=200, logprobs=count)
    text, ids, _, logprobs = expected(ask, 7, eos_every=50)
    resumed = replace(ask, id="1", resume=Resume(ids[:9]))

    said = answered([ask, resumed, replace(ask, id="2", logprobs=None)], eos_every=50)

    assert logprobs_of(said["0"]) == logprobs
    assert logprobs_of(said["1"]) == logprobs[9:]
    assert logprobs_of(said["2"]) == []
    assert (len(logprobs), {len(entry.top_logprobs) for entry in logprobs}) == (len(ids) - 1, {count})
    assert b"".join(bytes(entry.bytes) for entry in logprobs).decode() == text


CALLING = Generate(id="0", prompt="[[call@9]] [[call@4]] [[call@400]]", tools=TOOLS, max_tokens=200, seed=5)


@pytest.mark.parametrize(("is_parallel", "places"), [(True, [4, 9]), (False, [4])])
def test_calls_are_made_where_the_prompt_says_so(*, is_parallel: bool, places: list[int]) -> None:
    """With these very ids; the only call that there may be ends the answer."""
    ask = replace(CALLING, parallel_tool_calls=is_parallel)
    text, ids, reason, _ = expected(ask, 5, eos_every=50)

    said = answered([ask], eos_every=50)["0"]

    tokens = [reply for reply in said if isinstance(reply, Token)]
    assert (text_of(said), ids_of(said), reason) == (text, ids, "tool_calls")
    assert [at for at, token in enumerate(tokens, 1) if token.tool_calls] == places
    assert {(call.name, call.arguments) for token in tokens for call in token.tool_calls} == {("f", "{}")}
    assert isinstance(last := said[-1], Done)
    assert (last.reason, last.usage.completion_tokens) == (reason, len(ids))


@pytest.mark.parametrize("is_parallel", [True, False])
def test_resumed_at_any_id_the_calls_are_the_same(*, is_parallel: bool) -> None:
    """Those of earlier attempts are not made again, and are counted."""
    ask = replace(CALLING, parallel_tool_calls=is_parallel)
    first = [reply for reply in answered([ask], eos_every=50)["0"] if isinstance(reply, Token)]

    for k in range(len(first) + 1):
        said = answered([replace(ask, resume=Resume(ids_of(first[:k])))], eos_every=50)["0"]
        assert [reply for reply in said if isinstance(reply, Token)] == first[k:]
        assert isinstance(last := said[-1], Done)
        assert (last.reason, last.usage.completion_tokens) == ("tool_calls", len(first))


@pytest.mark.parametrize("spoil", ["missing", "doubled", "changed"])
def test_a_wrong_resume_shows_in_the_next_id(spoil: str) -> None:
    """An id lost, repeated or altered on the way between attempts changes all that follows."""
    ask = Generate(id="0", prompt="이어서", seed=7, max_tokens=60)
    ids = expected(ask, 7).ids
    wrong = {"missing": ids[:9] + ids[10:20], "doubled": [*ids[:20], ids[19]], "changed": [*ids[:19], ids[19] + 1]}[
        spoil
    ]

    said = answered([Generate(id="0", prompt="이어서", seed=7, max_tokens=60, resume=Resume(wrong))])["0"]

    assert ids_of(said)[:5] != ids[len(wrong) :][:5]


def test_text_is_whole_characters() -> None:
    """Characters cut in two are held back until they are whole; U+FFFD is never shown, also not at the end."""
    limits = range(200, 260)
    asks = [Generate(id=str(limit), prompt="글자", seed=limit, max_tokens=limit) for limit in limits]

    said = answered(asks, slots=64)

    held_back = [reply for reply in said["200"] if isinstance(reply, Token) and not reply.content]
    assert len(held_back) > 20
    assert all("\ufffd" not in text_of(replies) for replies in said.values())
    assert any(Vocabulary().piece_of(ids_of(replies)[-1])[-1:] >= b"\xc0" for replies in said.values()), (
        "none ended inside one"
    )


def test_a_stop_string_is_never_shown() -> None:
    """Text ends before the first stop string, also one that stands across several ids."""
    text = expected(Generate(prompt="멈춤", seed=1, max_tokens=80), 1).text
    stop = text[40:44]
    ask = Generate(id="0", prompt="멈춤", seed=1, max_tokens=80, stop=[stop + "never", stop])

    said = answered([ask])["0"]

    assert text_of(said) == text[: text.index(stop)] == expected(ask, 1).text
    assert isinstance(last := said[-1], Done)
    assert (last.reason, last.stop) == ("stop", stop)


def test_the_end_of_a_turn_is_an_id() -> None:
    """The id that ends a turn is sent like any other, so a resume behind it knows that nothing follows."""
    ask = Generate(id="0", prompt="끝", max_tokens=500)

    said = answered([ask], eos_every=20)["0"]

    assert ids_of(said)[-1] == EOS
    assert ids_of(said).count(EOS) == 1


def test_greedy_ignores_the_seed() -> None:
    """At temperature 0 every seed gives the same ids; above it each gives its own."""
    greedy = Generate(prompt="같은", temperature=0, max_tokens=20)
    warm = Generate(prompt="같은", temperature=0.7, max_tokens=20)

    assert expected(greedy, 1) == expected(greedy, 2)
    assert expected(warm, 1) != expected(warm, 2)


def test_a_chat_prompt_is_one_user_message() -> None:
    """`prompt` and a single user message are answered alike; the bare text of kind=text is another prompt."""
    prompt = Generate(prompt="안녕", max_tokens=20)
    message = Generate(messages=[Message(role="user", content="안녕")], max_tokens=20)
    bare = Generate(prompt="안녕", kind="text", max_tokens=20)

    assert expected(prompt) == expected(message)
    assert expected(prompt) != expected(bare)


def test_a_row_beyond_the_slots_waits() -> None:
    """No more rows than slots run at once; who waits joins at the step in which a slot is free."""
    batch = Batch(Settings(slots=2))
    for n in range(3):
        batch.take(Generate(id=str(n), prompt="a", max_tokens=2 + 2 * n), is_by_hand=False, now_ns=0)

    steps = [told(batch) for _ in range(3)]

    started = [[reply.id for reply in step if isinstance(reply, Started)] for step in steps]
    assert started == [["0", "1"], [], ["2"]]
    assert (batch.stats().busy, batch.stats().waiting, batch.stats().steps) == (2, 0, 3)


def test_a_cancelled_row_falls_silent_and_frees_its_slot() -> None:
    """Cancel ends a running and a waiting generation without a word, and no other."""
    batch = Batch(Settings(slots=1))
    for name in ("running", "waiting", "next"):
        batch.take(Generate(id=name, prompt="a"), is_by_hand=False, now_ns=0)
    told(batch)

    for name in ("running", "waiting", "unknown"):
        batch.cancel(name)

    assert {reply.id for reply in told(batch) if isinstance(reply, Started | Token | Done)} == {"next"}


def test_a_generation_is_handed_back_where_its_prompt_says_so() -> None:
    """Before its n-th id, or the n-th of each attempt; it is gone then, and says whether it was the only one."""
    whole = expected(Generate(prompt="[[full@+4]]", max_tokens=20))
    batch = Batch(Settings())
    batch.take(Generate(id="a", prompt="[[full@+4]]", max_tokens=20), is_by_hand=False, now_ns=0)
    batch.take(Generate(id="b", prompt="[[full@6]]", max_tokens=20), is_by_hand=False, now_ns=0)

    said = [reply for _ in range(9) for reply in told(batch)]

    gone = [reply for reply in said if isinstance(reply, HandedBack)]
    assert gone == [HandedBack(id="a"), HandedBack(id="b", alone=True)]
    assert ids_of(reply for reply in said if getattr(reply, "id", "") == "a") == whole.ids[:3]
    assert (batch.is_idle, batch.stats().handed_back) == (True, 2)

    batch.take(
        Generate(id="c", prompt="[[full@+4]]", max_tokens=20, resume=Resume(whole.ids[:3])), is_by_hand=False, now_ns=0
    )
    assert ids_of(reply for _ in range(9) for reply in told(batch)) == whole.ids[3:6]


def test_a_long_prefill_is_reported_chunk_by_chunk() -> None:
    """A prompt that costs time holds the step up, says how far it is, and gives its first id when it is read."""
    batch = Batch(Settings(step_ms=5, prefill_ms_per_token=1, context_tokens=4_096))
    batch.take(Generate(id="0", tokens=list(range(1_200))), is_by_hand=False, now_ns=0)
    batch.admit(0)

    steps = [batch.step(0) for _ in range(3)]

    replies = [[decode_reply(line) for line in step.lines.splitlines()] for step in steps]
    assert [(said[0].done, said[0].total) for said in replies if isinstance(said[0], Prefill)] == [
        *((512, 1_200), (1_024, 1_200), (1_200, 1_200)),
    ]
    assert [step.takes_ns // STEP_NS for step in steps] == [517, 517, 181]
    assert [len(said) for said in replies] == [1, 1, 2]


def test_a_chunk_takes_no_longer_than_it_was_told_to() -> None:
    """Another prompt that comes meanwhile waits for no more than that."""
    batch = Batch(Settings(step_ms=5, prefill_ms_per_token=1, prefill_chunk_ms=100, context_tokens=4_096))
    batch.take(Generate(id="0", tokens=list(range(250))), is_by_hand=False, now_ns=0)
    batch.admit(0)

    assert [batch.step(0).takes_ns // STEP_NS for _ in range(3)] == [105, 105, 55]


def test_bulk_prompts_are_read_behind_those_that_somebody_waits_for() -> None:
    """Also in their midst; but they are not passed for ever."""
    batch = Batch(Settings(step_ms=0, prefill_ms_per_token=1, slots=40, context_tokens=4_096))
    batch.take(Generate(id="bulk", tokens=list(range(1_000)), steps_aside=True), is_by_hand=False, now_ns=0)
    batch.admit(0)
    order = _read_in(batch.step(0))
    for number in range(20):
        batch.take(Generate(id=f"{number}", tokens=[1, 2, 3]), is_by_hand=False, now_ns=0)
    batch.admit(0)

    order += [name for _ in range(21) for name in _read_in(batch.step(0))]

    assert order == ["bulk", *map(str, range(11)), "bulk", *map(str, range(11, 20))]


def _read_in(step: Step) -> list[str]:
    replies = [decode_reply(line) for line in step.lines.splitlines()]
    return [reply.id for reply in replies if isinstance(reply, Prefill)]


def test_a_slow_row_keeps_nobody_waiting() -> None:
    """`[[slow:20]]` paces one row; the others have an id at every step."""
    batch = Batch(Settings(step_ms=5))
    for name, prompt in (("slow", "a [[slow:20]]"), ("quick", "a")):
        batch.take(Generate(id=name, prompt=prompt), is_by_hand=False, now_ns=0)

    steps = [told(batch, now_ns=n * 5 * STEP_NS) for n in range(8)]

    said = [reply.id for step in steps for reply in step if isinstance(reply, Token)]
    assert (said.count("slow"), said.count("quick")) == (2, 8)


@pytest.mark.parametrize(
    ("ask", "code", "param"),
    [
        (Generate(id="0", prompt="x" * 400), "context_length_exceeded", "prompt"),
        (Generate(id="0"), "missing_field", "prompt"),
        (Generate(id="0", prompt="x", tokens=[1]), "invalid_value", "tokens"),
        (Generate(id="0", prompt="x", resume=Resume([1 << 20])), "invalid_value", "resume"),
        (Generate(id="0", prompt="x", resume=Resume([EOS, 1])), "stream_diverged", "resume"),
        (Generate(id="0", prompt="x", tools=TOOLS, tool_choice="required"), "unsupported", "tool_choice"),
        (Generate(id="0", prompt="x", response_format=JsonObject()), "unsupported", "response_format"),
        (Generate(id="0", prompt="x", grammar=Regex("a")), "unsupported", "grammar"),
    ],
)
def test_what_cannot_be_served_is_refused(ask: Generate, code: str, param: str | None) -> None:
    """A request that the fields' bounds let pass and that still can't be served gets one error, with its id."""
    said = answered([ask], context_tokens=64)

    assert [(type(reply), getattr(reply, "code", ""), getattr(reply, "param", "")) for reply in said["0"]] == [
        (Error, code, param),
    ]


def test_the_context_ends_an_answer() -> None:
    """Prompt and answer together fill the context at most; the reason is length."""
    said = answered([Generate(id="0", tokens=[1] * 60, max_tokens=500)], context_tokens=64)["0"]

    assert len(ids_of(said)) == 4
    assert isinstance(last := said[-1], Done)
    assert last.reason == "length"


def test_a_count_needs_no_slot() -> None:
    """kind=count is answered at once with the prompt's tokens and none of completion."""
    said = answered([Generate(id="0", prompt="x" * 400, kind="count")], slots=1, context_tokens=64)["0"]

    assert isinstance(last := said[-1], Done)
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (104, 0)


@pytest.mark.parametrize("words", PIECES)
def test_every_piece_is_drawn(words: Words) -> None:
    """The vocabulary reaches all its pieces, so a long answer has all that can go wrong with text in it."""
    ids = expected(Generate(prompt="모두", max_tokens=20_000), 1, words=words).ids

    drawn = {(token_id - 1) % len(PIECES[words]) for token_id in ids}

    assert drawn == set(range(len(PIECES[words])))
    assert max(ids) < Vocabulary().size


def test_hostile_words_are_said_as_foretold() -> None:
    """In streams as in whole answers, and under a fingerprint of their own: no other engine may go on with them."""
    ask = Generate(id="0", prompt="x", seed=3, max_tokens=400)

    said = answered([ask], words="hostile")["0"]

    assert text_of(said) == expected(ask, 3, words="hostile").text
    assert Settings(words="hostile").fingerprint != Settings().fingerprint
