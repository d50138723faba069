"""A model's folder and size, found or fetched by a process of its own: what reads weights may need MLX.

The agent never loads that.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence

import msgspec

from shared.errors import Fault, Refused
from shared.supply import Supply

_CATALOG = (sys.executable, "-P", "-m", "worker.catalog")


class Found(msgspec.Struct, frozen=True):
    """A model on this machine: its folder, the name of the queue it serves, and the folder of its adapter, if any."""

    queue: str
    path: str
    adapter: str | None = None


class Room(msgspec.Struct, frozen=True):
    """What a model needs of this machine: `present` if it is here; MB are None where they are not known."""

    queue: str
    path: str
    adapter: str | None
    present: bool
    memory_mb: int | None
    possible_mb: int | None  # of all models, here


class _Line(msgspec.Struct):
    status: str
    message: str = ""
    progress: float | None = None
    queue: str = ""
    path: str = ""
    adapter: str | None = None


async def fetch(name: str, on_progress: Callable[[str, float | None], None], supply: Supply | None = None) -> Found:
    """Bring the model of this name to the machine; the empty name is MLX_MODEL_PATH's, or the default.

    It is taken from machines of the pool where these are known to have it.

    Raises:
        Refused: no such model, or it can't be had from here; the message says what to do.
        Fault: the disk is full, or what was fetched is damaged.

    """
    pipe = asyncio.subprocess.PIPE
    whence = ("--from-pool",) if supply else ()
    process = await asyncio.create_subprocess_exec(
        *_CATALOG, "pull", "--json", *whence, "--", name, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    if supply:
        process.stdin.write(msgspec.json.encode(supply))
    process.stdin.close()
    try:
        words = asyncio.create_task(process.stderr.read())
        found = None
        async for raw in process.stdout:
            line = msgspec.json.decode(raw, type=_Line)
            if line.status == "present":
                found = Found(line.queue, line.path, line.adapter)
            else:
                on_progress(line.message, line.progress)
        said = (await words).decode(errors="replace").strip()
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if found is not None:
        return found
    raise _failure(code, said)


async def room(names: Sequence[str]) -> list[Room]:
    """What each of these models needs, in their order; nothing is fetched.

    Raises:
        Refused: there is no such model.
        Fault: it can't be told.

    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *_CATALOG, "needs", "--json", "--", *names, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        told, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise _failure(process.returncode, said.decode(errors="replace").strip())
    return [msgspec.json.decode(line, type=Room) for line in told.splitlines()]


def _failure(code: int | None, said: str) -> Refused | Fault:
    message = (
        said.splitlines()[-1].removeprefix("mlx-pool models: ") if said else "The model could not be brought here."
    )
    if code == 2:
        return Refused("model_not_found", message, param="model")
    return Fault("engine_failed", message)
