"""Readers of server-sent events: the standard's own words, and those that clients use."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import anthropic._streaming as anthropic_streaming
import httpx
import openai._streaming as openai_streaming


class Event(NamedTuple):
    """An event as a page's script would see it."""

    name: str
    data: str
    id: str


Reader = Callable[[Sequence[bytes]], list[Event]]


def by_the_standard(pieces: Sequence[bytes]) -> list[Event]:
    """As browsers read: the WHATWG's HTML standard, 9.2.6; a line or an event that is not ended does not count."""
    text = b"".join(pieces).decode("utf-8", "replace").removeprefix("\ufeff")
    return list(_events_in(re.split("\r\n|\r|\n", text)[:-1]))


def by_httpx_lines(pieces: Sequence[bytes]) -> list[Event]:
    """As many clients do it by hand, over httpx: its lines end at everything that Unicode calls a line's end."""
    return list(_events_in(httpx.Response(200, content=iter(pieces)).iter_lines()))


def by_openai(pieces: Sequence[bytes]) -> list[Event]:
    """As OpenAI's client does."""
    events = openai_streaming.SSEDecoder().iter_bytes(iter(pieces))
    return [Event(event.event or "message", event.data, event.id or "") for event in events]


def by_anthropic(pieces: Sequence[bytes]) -> list[Event]:
    """As Anthropic's client does."""
    events = anthropic_streaming.SSEDecoder().iter_bytes(iter(pieces))
    return [Event(event.event or "message", event.data, event.id or "") for event in events]


READERS: Mapping[str, Reader] = {
    "the standard": by_the_standard,
    "httpx": by_httpx_lines,
    "openai": by_openai,
    "anthropic": by_anthropic,
}


def cut_into(pieces: Sequence[bytes], size: int) -> list[bytes]:
    """The same bytes in pieces of this size: a network cuts where it likes."""
    data = b"".join(pieces)
    return [data[at : at + size] for at in range(0, len(data), size)]


def _events_in(lines: Iterable[str]) -> Iterator[Event]:
    name, data, last_id = "", list[str](), ""
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data), last_id)
            name, data = "", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id" and "\0" not in value:
            last_id = value
