"""What the scripted engine answers, said in the plainest way: the yardstick that tests hold every stream against.

It shares with the engine the draw, its likelihood and what a prompt has called, and nothing else: no hold-back, no
batch, no pipe.
"""

from typing import NamedTuple

from shared.event import Reason, TokenLogprob
from shared.job import Ask

from .calls import calls_in
from .draw import after, draw, root
from .likelihood import logprob_behind
from .prompt import render
from .vocabulary import DEFAULT_SIZE, EOS, Vocabulary, Words


class Answer(NamedTuple):
    """A whole generation: its text, all its ids (the one that ends the turn included), and why it ended."""

    text: str
    ids: list[int]
    reason: Reason
    logprobs: list[TokenLogprob]  # of the ids but one that ends the turn, where they are asked for


def expected(
    ask: Ask,
    seed: int = 0,
    max_tokens: int | None = None,
    *,
    vocabulary: int = DEFAULT_SIZE,
    words: Words = "plain",
    eos_every: int | None = None,
) -> Answer:
    """Return what a scripted engine with this vocabulary and `--eos-every` answers, however often it is interrupted.

    `max_tokens` is the ask's own unless given. The context is taken to be large enough.
    """
    limit = ask.max_tokens if max_tokens is None else max_tokens
    prompt = render(ask)
    state = root(prompt.canonical, seed=seed, temperature=ask.temperature)
    calls = calls_in(ask, prompt)
    known = Vocabulary(vocabulary, words)
    node = known.start
    ids: list[int] = []
    logprobs: list[TokenLogprob] = []
    reason: Reason = "length"
    while len(ids) < limit:
        edge = draw(state, node, eos_every)
        if ask.logprobs is not None and edge.id != EOS:
            logprobs.append(logprob_behind(state, node, edge.id, ask.logprobs))
        state, node = after(state, edge.id), edge.node
        ids.append(edge.id)
        is_last_call = ask.has_one_call and len(ids) in calls
        if edge.id == EOS or is_last_call or (ask.stops and _cut_at(_text_of(ids, known), ask.stops) is not None):
            reason = "stop"
            break
    if reason == "stop" and any(place <= len(ids) for place in calls):
        reason = "tool_calls"
    text = _text_of(ids, known)
    return Answer(text[: _cut_at(text, ask.stops)], ids, reason, logprobs)


def _text_of(ids: list[int], known: Vocabulary) -> str:
    """Return the text of ids; a character that the end cut in two is not shown."""
    return b"".join(map(known.piece_of, ids)).decode(errors="ignore")


def _cut_at(text: str, stops: tuple[str, ...]) -> int | None:
    """Return where the stop string begins that is complete first, and of those that end together the longest."""
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    return min(found)[1] if found else None
