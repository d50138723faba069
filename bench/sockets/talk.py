"""The other end of `bench.rig.partner`: questions from stdin, answers to stdout, while the loop goes on."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


async def questions(decoder: msgspec.json.Decoder[T]) -> AsyncGenerator[T]:
    """The questions, as they come, until the input ends."""
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        yield decoder.decode(line)


def answer(told: Any) -> None:
    """Answer the last one."""
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()
