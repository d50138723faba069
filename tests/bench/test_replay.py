"""Talks as they are replayed: what is said is as long as was drawn, and what came of it is counted rightly."""

import msgspec

from bench.placement.talks import Talk, talks
from bench.replay.client import Asked
from bench.replay.figures import figures_of
from bench.replay.script import messages_of
from bench.turns.turn import Turn
from shared.job import Job, Message
from shared.outline import outline_of
from worker.engine.scripted.prompt import render


def test_a_replayed_prompt_is_as_long_as_it_was_drawn() -> None:
    """The first turn of each talk has as many tokens as the script counts, give or take its shortest messages."""
    drawn = talks(0.26, 60, seed=1)

    said = [render(_job(talk, 0)).tokens for talk in drawn]

    assert all(abs(tokens - talk.turns[0].prompt[-1].tokens) <= 8 for tokens, talk in zip(said, drawn, strict=True))


def test_a_replayed_turn_goes_on_from_the_one_before() -> None:
    """Its home is looked for by the whole prompt of the turn before."""
    talk = next(talk for talk in talks(0.26, 60, seed=1) if len(talk.turns) > 2)

    before, after = (outline_of(_job(talk, number), "somebody") for number in (1, 2))

    assert after.homes[0].hash == before.prefixes[-1].hash


def test_only_later_turns_can_be_at_home() -> None:
    """A turn is at home with the worker of the turn before; first turns and those without an answer do not count."""
    asked = [
        _answered(0, 0, "mac-1"),
        _answered(0, 1, "mac-1"),
        _answered(0, 2, "mac-2"),
        Asked(0, 3, 0.0, "failed"),
        _answered(1, 0, "mac-2"),
    ]

    figures = figures_of(asked)

    assert figures.home_share == 0.5
    assert (figures.asked, figures.failed) == (5, 1)


def test_what_was_asked_in_the_warm_up_is_not_judged() -> None:
    """It counts only as the turn before."""
    asked = [_answered(0, 0, "mac-1", at_s=1.0, first_ms=9_000), _answered(0, 1, "mac-1", at_s=5.0, first_ms=1_000)]

    figures = figures_of(asked, from_s=4.0)

    assert (figures.asked, figures.mean_s, figures.p95_s, figures.home_share) == (1, 1.0, 1.0, 1.0)


def _job(talk: Talk, number: int) -> Job:
    said = messages_of(talk, number, ["So it was."] * number)
    return Job(messages=msgspec.convert(said, list[Message]))


def _answered(talk: int, number: int, worker: str, *, at_s: float = 0.0, first_ms: float = 0.0) -> Asked:
    turn = Turn(first_ms, prompt_tokens=100, cached_tokens=40, text="", started_ms=0.0, worker=worker)
    return Asked(talk, number, at_s, "done", turn)
