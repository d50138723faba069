"""The load: so many streams at once, each asking the next question when its last answer has ended."""

import itertools
import random
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final

import msgspec

from mlx_pool.where import Gateway

from .sample import Sample, measure

_BYTES_PER_TOKEN: Final = 4
_WORDS: Final = ("river", "stone", "lamp", "winter", "paper", "garden", "signal", "copper", "window", "morning")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, and how much of it at once."""

    streams: int
    requests: int
    prompt_tokens: int
    max_tokens: int
    model: str | None = None
    is_same_prompt: bool = False  # so that prompt caches serve all but the first


class Outcome(msgspec.Struct, frozen=True):
    """What was measured, and how long all of it took; cut short by Ctrl-C, only what had ended."""

    samples: list[Sample]
    seconds: float
    is_whole: bool


def put_load(place: Gateway, order: Order, on_done: Callable[[], None]) -> Outcome:
    """Carry the order out; `on_done` hears of each request that has ended."""
    numbers, over, samples = itertools.count(), threading.Event(), list[Sample]()
    nonce = secrets.token_hex(8)

    def stream() -> None:
        while not over.is_set() and (number := next(numbers)) < order.requests:
            if sample := measure(place, body_of(order, number, nonce), over.is_set):
                samples.append(sample)
                on_done()

    began = time.monotonic()
    threads = [threading.Thread(target=stream, daemon=True) for _ in range(min(order.streams, order.requests))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        over.set()
    return Outcome(list(samples), time.monotonic() - began, not over.is_set())


def body_of(order: Order, number: int, nonce: str) -> bytes:
    """Write the number-th request: of the size asked for, and unlike any other, unless they are to be alike."""
    name = nonce if order.is_same_prompt else f"{nonce}-{number}"
    asked = {
        "prompt": prompt_of(name, order.prompt_tokens),
        "max_tokens": order.max_tokens,
        "min_tokens": order.max_tokens,  # so that each answer is as long as any other
    }
    return msgspec.json.encode(asked | ({"model": order.model} if order.model else {}))


def prompt_of(name: str, tokens: int) -> str:
    """Make a text of about so many tokens, the same for the same name."""
    words = random.Random(name)  # noqa: S311 -- a text to read, no secret
    text = name
    while len(text) < tokens * _BYTES_PER_TOKEN:
        text += f" {words.choice(_WORDS)}"
    return text
