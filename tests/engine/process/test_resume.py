"""A generation that another attempt goes on with is the undisturbed one: the same ids, the same text, no seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from worker.engine.wire import Generate, Resume

if TYPE_CHECKING:
    from .conftest import Answer, Engine

MAX_TOKENS = 24
# Ids of single bytes: with all of them favoured a text is full of characters that take several ids, or never end.
BYTES = {str(token): 30.0 for token in range(17, 200)}
VARIANTS = {
    "greedy": Generate(prompt="안녕하세요", temperature=0),
    "greedy with penalties": Generate(
        prompt="tell me",
        temperature=0,
        repeat_penalty=1.4,
        repeat_last_n=8,
        presence_penalty=0.5,
        frequency_penalty=0.4,
    ),
    "seeded": Generate(prompt="hello", seed=7),
    "seeded, any token": Generate(prompt="hello", seed=8, top_k=0, top_p=1.0, temperature=1.2),
    "seeded, nucleus of any token": Generate(prompt="hello", seed=9, top_k=0, top_p=0.9, min_p=0.001),
    "half characters": Generate(prompt="x", seed=10, logit_bias=BYTES, temperature=1.5, top_k=100),
    "held from ending": Generate(prompt="x", seed=11, logit_bias={"2": 25.0}, min_tokens=12),
    "one id of prompt": Generate(tokens=[5], seed=12),
    "plain text": Generate(prompt="once", kind="text", seed=13, repeat_last_n=500),
}


def undisturbed(engine: Engine, request: Generate) -> tuple[Generate, Answer]:
    """The request, and its answer in one go."""
    limited = replace(request, max_tokens=MAX_TOKENS)
    return limited, engine.ask(limited)[0]


def assert_no_seam(engine: Engine, request: Generate, whole: Answer) -> None:
    """Whatever id an attempt ended after, the next one's answer is exactly the rest."""
    cuts = range(len(whole.ids) + 1)

    rests = engine.ask(*(replace(request, resume=Resume(whole.ids[:cut])) for cut in cuts))

    for cut, rest in zip(cuts, rests, strict=True):
        assert rest.ids == whole.ids[cut:]
        assert "".join(token.content for token in whole.tokens[:cut]) + rest.text == whole.text
        assert rest.done.reason == whole.done.reason
        assert replace(rest.done.usage, cached_tokens=0) == replace(whole.done.usage, cached_tokens=0)
        assert rest.started
        assert whole.started
        assert rest.started.prompt_hash == whole.started.prompt_hash


@pytest.mark.parametrize("request_", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_resumed_generation_is_the_undisturbed_one(engine: Engine, request_: Generate) -> None:
    """Penalties, random draws, limits, and half-finished characters go on where they were, after any id."""
    request, whole = undisturbed(engine, request_)

    assert_no_seam(engine, request, whole)
    assert "\ufffd" not in whole.text


def test_a_stop_string_half_seen_before_is_found_after(engine: Engine) -> None:
    """What an attempt held back is held back by the next one, and shown or cut as it would have been."""
    request, whole = undisturbed(engine, VARIANTS["greedy"])
    texts = [token.content for token in whole.tokens]
    across = texts[9][-2:] + texts[10] + texts[11][:1]
    stopping = replace(request, stop=[across, "never" * 9])

    stopped = engine.ask(stopping)[0]

    assert stopped.done.reason == "stop"
    assert stopped.text == whole.text[: whole.text.index(across)]
    assert_no_seam(engine, stopping, stopped)


def test_what_is_held_back_at_the_limit_is_shown_once(engine: Engine) -> None:
    """A text that ends in the beginning of a stop string has it, whichever attempt says so."""
    request, whole = undisturbed(engine, VARIANTS["greedy"])
    waiting = replace(request, stop=whole.text[-3:] + "never")

    assert engine.ask(waiting)[0].text == whole.text
    assert_no_seam(engine, waiting, engine.ask(waiting)[0])


def test_a_generation_that_was_complete_ends_at_once(engine: Engine) -> None:
    """An attempt whose last words were lost after the last id has nothing to say but that it is done."""
    request, whole = undisturbed(engine, VARIANTS["held from ending"])

    rest = engine.ask(replace(request, resume=Resume(whole.ids)))[0]

    assert (rest.tokens, rest.done.reason) == ([], "stop")
    assert rest.done.usage.completion_tokens == len(whole.ids)


def test_ids_beyond_the_end_are_no_resume(engine: Engine) -> None:
    """What goes on after its own end is another generation: that is said, and nothing is spliced."""
    request, whole = undisturbed(engine, VARIANTS["greedy"])

    rest = engine.ask(replace(request, resume=Resume([*whole.ids, 5])))[0]

    assert rest.error.code == "stream_diverged"
