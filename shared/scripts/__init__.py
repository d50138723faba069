"""The Lua scripts of the queue, one file each, and how they are run.

Every script is `prelude.lua` and `entries.lua`, then its own file, under a `#!lua` line: with it a wrong slot fails
even on a one-node cluster, and a full Redis refuses before the first write. Only what begins something is refused then
(`submit`, `file_append`, `bulk_open`): all others drain the queue. Those that start jobs have `taking.lua` before them.
`python -m shared.scripts submit` prints a script whole, for producers in other languages.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from shared.connection import Arg, Broker, NoScript

_READERS = ("peek", "ahead", "survey")
_FLAGS = {
    **dict.fromkeys(("submit", "file_append", "bulk_open"), ""),
    **dict.fromkeys(_READERS, " flags=no-writes"),
}
_WORDS = ("prelude", "entries")
_MORE_WORDS: dict[str, tuple[str, ...]] = dict.fromkeys(("look", "take"), ("taking",))
NAMES = (
    "submit",
    "look",
    "take",
    "append",
    "finish",
    "fail",
    "release",
    "cancel",
    "beat",
    "mine",
    "peek",
    "ahead",
    "survey",
    "reap",
    "charge",
    "keep",
    "forget",
    "file_append",
    "bulk_open",
    "bulk_claim",
    "bulk_commit",
    "bulk_cancel",
)


@cache
def source(name: str) -> str:
    """The whole text of a script, as the server runs it."""
    folder = files(__name__)
    names = (*_WORDS, *_MORE_WORDS.get(name, ()), name)
    parts = (folder.joinpath(f"{part}.lua").read_text("utf-8") for part in names)
    return f"#!lua{_FLAGS.get(name, ' flags=allow-oom')}\n" + "\n".join(parts)


@cache
def digest(name: str) -> str:
    """The SHA-1 by which the server knows a script."""
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


async def call(broker: Broker, name: str, prefix: str, args: Sequence[Arg]) -> Any:
    """Run a script on the queue with this prefix; tells it to the server when that has forgotten it."""
    # What writes nothing is run as such, so that it can be run by those who may not write.
    kind = "_RO" if name in _READERS else ""
    try:
        return await broker.command(f"EVALSHA{kind}", digest(name), 1, prefix, *args)
    except NoScript:
        return await broker.command(f"EVAL{kind}", source(name), 1, prefix, *args)


async def call_each(broker: Broker, name: str, prefix: str, rows: Sequence[Sequence[Arg]]) -> list[Any]:
    """Run a script once for each row, in one round trip."""
    calls: list[tuple[Arg, ...]] = [("EVALSHA", digest(name), 1, prefix, *row) for row in rows]
    try:
        return await broker.commands(calls)
    except NoScript:
        # Rows before the first refusal can't have run: the server knew none of them.
        await broker.command("SCRIPT LOAD", source(name))
        return await broker.commands(calls)
