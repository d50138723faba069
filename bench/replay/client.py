"""The people of many talks: each asks, reads the answer, thinks, and asks on. A thread each."""

import http.client
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from bench.placement.talks import Talk
from bench.turns.turn import Failed, Turn, TurnedAway, ask

from .script import messages_of

Outcome = Literal["done", "turned away", "failed"]


class Asked(msgspec.Struct, frozen=True):
    """A turn that was asked; without an answer it has no `turn`."""

    talk: int
    number: int  # among the talk's turns, from 0
    at_s: float  # since the first of all could be asked
    outcome: Outcome
    turn: Turn | None = None


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """Talks, and how they are asked."""

    talks: Sequence[Talk]
    port: int
    pace: float  # how much faster than they were drawn
    seconds: float  # after which no turn is asked any more
    keys: Sequence[str] = ("",)  # API keys, one talk after the other


def replay(how: Replay) -> list[Asked]:
    """Ask everything, and wait for the last answer."""
    asked: list[Asked] = []
    began_s = time.monotonic()
    people = [
        threading.Thread(target=_talk, args=(how, number, began_s, asked), daemon=True)
        for number in range(len(how.talks))
    ]
    for person in people:
        person.start()
    for person in people:
        person.join()
    return asked


def _talk(how: Replay, number: int, began_s: float, asked: list[Asked]) -> None:
    talk = how.talks[number]
    answers: list[str] = []
    _pause_until(began_s + talk.begins_s / how.pace)
    for place, turn in enumerate(talk.turns):
        _pause_until(time.monotonic() + turn.pause_s / how.pace)
        at_s = time.monotonic() - began_s
        if at_s >= how.seconds:
            return
        got = _ask(how, number, messages_of(talk, place, answers), max(1, turn.answer_tokens))
        is_answered = isinstance(got, Turn)
        asked.append(Asked(number, place, at_s, "done" if is_answered else got, got if is_answered else None))
        if not isinstance(got, Turn):
            return  # who is turned away leaves, and takes the rest of the talk along
        answers.append(got.text)


def _ask(how: Replay, number: int, messages: Sequence[Mapping[str, str]], tokens: int) -> Turn | Outcome:
    try:
        return ask(how.port, [dict(message) for message in messages], tokens, key=how.keys[number % len(how.keys)])
    except TurnedAway:
        return "turned away"
    except (Failed, OSError, http.client.HTTPException, ValueError):
        return "failed"


def _pause_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))
