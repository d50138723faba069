"""What every contender is given, and what is asked of it. Plain data and a Protocol."""

import itertools
import json
from typing import Any, Literal, Protocol

import msgspec

from bench.load.orders import Result

Sampling = Literal["greedy", "default"]
_GREEDY: dict[str, Any] = {"temperature": 0, "repeat_penalty": 1}
_TOPICS = ("a lighthouse", "two cats", "the sea", "an old train", "winter", "a clockmaker", "the last bus", "a garden")


class Setting(msgspec.Struct, frozen=True):
    """What contenders run with: the model's folder, seats in the batch, and the broker's program."""

    model: str
    peers_model: str  # the same weights in the form in which our engine computes on them
    slots: int
    broker: str


class Load(msgspec.Struct, frozen=True):
    """So many streams at once, each of at most so many tokens. No prompt is ever asked twice: no cache can help."""

    streams: int
    max_tokens: int
    sampling: Sampling
    number: int  # of this load among all of the run's

    def bodies(self) -> list[str]:
        """The jobs as JSON, one a stream; `default` is what `/chat` does when nothing is said."""
        sampling = _GREEDY if self.sampling == "greedy" else {"seed": self.number}
        topics = zip(range(self.streams), itertools.cycle(_TOPICS), strict=False)
        prompts = (f"{self.number}-{stream}: write a very long story about {topic}." for stream, topic in topics)
        return [json.dumps({"prompt": prompt, "max_tokens": self.max_tokens} | sampling) for prompt in prompts]


class Asked(Protocol):
    """What is asked at once: a load, or one turn of a conversation, whose job has `messages`."""

    def bodies(self) -> list[str]:
        """The jobs as JSON, one a stream."""
        ...


class Unavailable(Exception):
    """A contender can't run here; the message says why."""


class Contender(Protocol):
    """One who generates, running."""

    def measure(self, load: Asked) -> Result:
        """Carry a load out."""
        ...
