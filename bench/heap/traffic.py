"""Requests of all kinds, and an engine kept busy with them; some are cancelled, wherever they are then."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from bench.rig.engine import Engine
from bench.rig.process import Died
from bench.truth.asks import KINDS
from shared.grammar import JsonObject, JsonSchema, Lark, Regex, Schema
from worker.engine.wire import Cancel, Done, Error, Generate, Started, Stats, Token

_WORDS = ("harbour", "gull", "고양이", "winter", "朝", "clock", "👩‍🚀", "Straße", "the", "and", "sea", "garden")
_MOST_TOKENS = 48
_LONG_PROMPT = 0.03  # of the requests; read in several chunks
_GUIDED = 0.15
_STATS_AT_REST = 7
_PERSON: dict[str, object] = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_FORMS = (
    {"response_format": JsonObject()},
    {"response_format": JsonSchema(Schema(name="person", schema=_PERSON))},
    {"grammar": Regex(r"01[016]-[0-9]{3,4}-[0-9]{4}")},
    {"grammar": Lark('start: NUMBER ("+" NUMBER){1,3}\nNUMBER: /[0-9]{1,3}/')},
)


@dataclass
class _Going:
    """A request on its way: when it is cancelled, if at all, and how many tokens it has told."""

    cancel_at: int | None  # tokens; −1 is at once, 0 when its turn has come
    tokens: int = 0


class Traffic:
    """A sequence of requests, the same for the same seed."""

    def __init__(self, running: Engine, *, at_once: int, cancelled: float, seed: int) -> None:
        self._running = running
        self._at_once = at_once
        self._cancelled = cancelled
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._going: dict[str, _Going] = {}
        self.tokens = 0
        self.cancels = 0

    def run(self, requests: int) -> None:
        """Have so many more begun and ended, and the engine idle."""
        for ask in itertools.islice(self._asks(), requests):
            while len(self._going) >= self._at_once:
                self._hear()
            self._begin(ask)
        while self._going:
            self._hear()
        # By then what is free has been given back.
        for _ in range(_STATS_AT_REST):
            while not self._is_idle():
                pass

    def _asks(self) -> Iterator[Generate]:
        chance = self._chance
        kinds = list(KINDS.values())
        while True:
            words = chance.randint(200, 600) if chance.random() < _LONG_PROMPT else chance.randint(1, 60)
            ask = Generate(
                id=f"memory/{next(self._numbers)}",
                prompt=" ".join(chance.choices(_WORDS, k=words)),
                max_tokens=chance.randint(1, _MOST_TOKENS),
                seed=chance.randrange(2**63),
                tenant=chance.choice(("", "a", "b")),
            )
            ask = chance.choice(kinds)(ask, chance)
            if chance.random() < _GUIDED:
                ask = replace(ask, **chance.choice(_FORMS))
            # No logprobs: the table of spellings that they fill has an end, the vocabulary's, but it is far.
            yield ask

    def _begin(self, ask: Generate) -> None:
        is_cancelled = self._chance.random() < self._cancelled
        going = _Going(self._chance.randint(-1, ask.max_tokens - 1) if is_cancelled else None)
        self._going[ask.id] = going
        self._running.say(ask)
        self._cancel_if_due(ask.id, going, -1)

    def _hear(self) -> None:
        reply = self._running.hear().reply
        going = self._going.get(getattr(reply, "id", ""))
        match reply:
            case Started(id=name) if going:
                self._cancel_if_due(name, going, 0)
            case Token(id=name, tokens=tokens) if going:
                self.tokens += len(tokens)
                going.tokens += len(tokens)
                self._cancel_if_due(name, going, going.tokens)
            case Done(id=name):
                self._going.pop(name, None)
            case Error(message=message):
                raise Died(f"the engine refused: {message}")
            case _:
                pass

    def _cancel_if_due(self, name: str, going: _Going, at: int) -> None:
        if going.cancel_at is not None and at >= going.cancel_at:
            self._running.say(Cancel(id=name))
            self.cancels += 1
            del self._going[name]

    def _is_idle(self) -> bool:
        reply = self._running.hear().reply
        return isinstance(reply, Stats) and reply.busy == reply.waiting == 0
