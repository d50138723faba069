"""A model brought to this machine before its worker starts, with its progress on the screen."""

import asyncio
from typing import Final

import msgspec

from mlx_pool.part import part_argv
from mlx_pool.up.notice import Notice
from mlx_pool.up.screen import Screen
from shared.supply import Supply

from .fit import failure

_PART: Final = "model"


class _Line(msgspec.Struct, frozen=True):
    status: str
    message: str = ""
    progress: float | None = None


async def fetch(name: str, screen: Screen, supply: Supply | None = None) -> None:
    """Fetch it, from machines of the pool where these give it; one that is here already takes a moment.

    Raises:
        CommandError: it can't be had; the catalogue's words say why, and what to do.

    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *part_argv("worker.catalog", ("pull", "--json", *(("--from-pool",) if supply else ()), "--", name)),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    if supply is not None:
        process.stdin.write(msgspec.json.encode(supply))  # not among the arguments: it holds tokens
    process.stdin.close()
    words = asyncio.create_task(process.stderr.read())
    try:
        async for raw in process.stdout:
            line = msgspec.json.decode(raw, type=_Line)
            if line.status != "present":
                screen.show(_PART, Notice("progress", line.message, line.progress))
        code, said = await process.wait(), await words
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        words.cancel()
        screen.settle()
    if code:
        raise failure(code, said.decode(errors="replace"))
