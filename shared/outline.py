"""What a job's prompt begins with, told without a tokenizer, so that the job can go where that already lies.

A prompt has a boundary behind each of its messages; one that is no conversation has them at fixed steps. A boundary's
hash is one over all that is written into the prompt before it: the tenant, tools, template arguments, messages; never
how to sample. So prompts that have a hash in common begin alike, and what is appended changes no hash before it.

Sizes are bytes / 4. That is within a tenth for English, and for Korean with models that know it (Qwen 3, Llama 3); one
that does not makes up to 3.4 times as many tokens of Korean. Pure.
"""

import hashlib
import re
import sys
from array import array
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from .job import Ask, Job, Message, TemplateKwargs

MAX_PREFIXES = 16
MAX_HOMES = 6
MAX_NAMED_HOMES = 4  # those that a client names; beside them stand the previous turn and the root
BYTES_PER_TOKEN = 4
STEP_BYTES = 4_096

_encode = msgspec.json.Encoder().encode
_DIGEST_BYTES = 8
_MOST_DIGITS = 7  # of a number of tokens
_PREFIX = r"[0-9a-f]{16}:[0-9]{1,7}"
_TEXT = re.compile(
    rf"([0-9]{{1,7}}) (-|{_PREFIX}(?:,{_PREFIX}){{0,{MAX_HOMES - 1}}}) "
    rf"(-|{_PREFIX}(?:,{_PREFIX}){{0,{MAX_PREFIXES - 1}}})"
)


class Prefix(NamedTuple):
    """A beginning of a prompt: 16 hex digits, the same for equal beginnings, and how many tokens it has, about."""

    hash: str
    tokens: int


class CachePoint(NamedTuple):
    """A place that a client marked: behind so many messages, and so many characters of the next one's text."""

    messages: int
    characters: int = 0


class Outline(msgspec.Struct, frozen=True):
    """A prompt, seen from far."""

    tokens: int  # of the whole prompt, about
    prefixes: tuple[Prefix, ...] = ()  # shallow to deep: the first and the last 15; the last is the whole prompt
    homes: tuple[Prefix, ...] = ()  # by which the worker is looked for that has most of it, best first


class _Found(NamedTuple):
    """A prompt's boundaries, and which of them are of use."""

    bounds: Sequence[Prefix]  # shallow to deep, at least one
    root: Prefix  # what conversations share that are about the same thing
    previous: Sequence[Prefix] = ()  # the whole prompt of the turn before, if there was one
    marked: Sequence[Prefix] = ()


def outline_of(ask: Ask, tenant: str, cache_points: Sequence[CachePoint] = ()) -> Outline:
    """Outline a job's prompt; of the places that the client marked, in their order, the last four count."""
    if ask.kind == "count":
        return Outline(1)  # no engine reads it, so it costs nothing, and there is nothing to come back to
    if ask.tokens is not None:
        found = _in_data(("tokens", tenant), _words(ask.tokens))
    elif ask.kind == "text":
        found = _in_data(("text", tenant), (ask.prompt or "").encode())
    else:
        found = _in_conversation(ask, tenant, cache_points[-MAX_NAMED_HOMES:])
    affinity = ask.affinity if isinstance(ask, Job) else None
    named = [*_kindred(affinity, tenant, found.bounds[0]), *reversed(found.marked)]
    homes = dict.fromkeys([*found.previous, *named[:MAX_NAMED_HOMES], found.root])
    return Outline(found.bounds[-1].tokens, _ends(found.bounds), tuple(homes))


def encode_outline(outline: Outline) -> str:
    """Write an outline as it stands in a queue's entry, in less than 1 KiB of ASCII: its tokens, homes, prefixes."""
    return f"{outline.tokens} {_listed(outline.homes)} {_listed(outline.prefixes)}"


def decode_outline(text: str) -> Outline:
    """Read an outline; whatever else it is given, it says nothing."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return Outline(0)
    tokens, homes, prefixes = found.groups()
    return Outline(int(tokens), _unlisted(prefixes), _unlisted(homes))


def tokens_in(text: str) -> int:
    """How many tokens a prompt has, about: of its written outline only that is read. 0 where it says nothing."""
    tokens = text.partition(" ")[0]
    return int(tokens) if tokens.isascii() and tokens.isdigit() and len(tokens) <= _MOST_DIGITS else 0


class _Chain:
    """What has been read of a prompt: its hash, and its size."""

    def __init__(self, *head: object) -> None:
        self._hash = hashlib.blake2b(_encode(head), digest_size=_DIGEST_BYTES)
        self._bytes = 0

    def read(self, data: bytes) -> None:
        """Go on behind it. JSON needs no mark between one value and the next."""
        self._hash.update(data)
        self._bytes += len(data)

    def here(self) -> Prefix:
        """Where it has come to."""
        return Prefix(self._hash.hexdigest(), self._bytes // BYTES_PER_TOKEN)

    def behind(self, data: bytes) -> Prefix:
        """Where it would come to; it stays where it is."""
        ahead = self._hash.copy()
        ahead.update(data)
        return Prefix(ahead.hexdigest(), (self._bytes + len(data)) // BYTES_PER_TOKEN)


def _in_conversation(ask: Ask, tenant: str, cache_points: Sequence[CachePoint]) -> _Found:
    messages = ask.messages or [Message(role="user", content=ask.prompt)]
    chain = _Chain("chat", tenant, ask.template_kwargs or TemplateKwargs())
    if ask.offered:
        chain.read(_encode(ask.offered))
    bounds: list[Prefix] = []
    marked: list[Prefix] = []
    for at, message in enumerate(messages):
        cuts = [point.characters for point in cache_points if point.messages == at]
        marked += [chain.behind(_cut(message, characters)) for characters in cuts]
        chain.read(_written(message))
        bounds.append(chain.here())
    first_said = next((at for at, message in enumerate(messages) if message.role == "user"), 0)
    before = _turn_before(messages)
    return _Found(bounds, bounds[first_said], [bounds[before - 1]] if before else [], marked)


def _turn_before(messages: Sequence[Message]) -> int:
    """How many messages the turn before had as its prompt: what the assistant said last was said behind them."""
    answers = (at for at in range(len(messages) - 1, 0, -1) if messages[at].role == "assistant")
    return next((at for at in answers if messages[at - 1].role != "assistant"), 0)


def _in_data(head: tuple[str, str], data: bytes) -> _Found:
    chain = _Chain(*head)
    bounds: list[Prefix] = []
    for start in range(0, len(data), STEP_BYTES):
        chain.read(data[start : start + STEP_BYTES])
        bounds.append(chain.here())
    return _Found(bounds, bounds[0])


def _kindred(affinity: str | None, tenant: str, beginning: Prefix) -> list[Prefix]:
    """The home of all jobs with this name. That they share the first boundary is the most that can be counted on."""
    return [_Chain("affinity", tenant, affinity).here()._replace(tokens=beginning.tokens)] if affinity else []


def _ends(bounds: Sequence[Prefix]) -> tuple[Prefix, ...]:
    return tuple(bounds) if len(bounds) <= MAX_PREFIXES else (bounds[0], *bounds[1 - MAX_PREFIXES :])


def _written(message: Message) -> bytes:
    # A template is given no difference between no text and none said.
    return _encode(msgspec.structs.replace(message, content="") if message.content is None else message)


def _cut(message: Message, characters: int) -> bytes:
    if not characters:
        return b""
    return _encode(msgspec.structs.replace(message, content=(message.content or "")[:characters], tool_calls=None))


def _words(ids: Sequence[int]) -> bytes:
    words = array("I", ids)  # four bytes an id, as many as a token of text is taken for
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()


def _listed(prefixes: Sequence[Prefix]) -> str:
    return ",".join(f"{each.hash}:{each.tokens}" for each in prefixes) or "-"


def _unlisted(text: str) -> tuple[Prefix, ...]:
    pairs = (each.partition(":") for each in text.split(",") if each != "-")
    return tuple(Prefix(digest, int(tokens)) for digest, _, tokens in pairs)
