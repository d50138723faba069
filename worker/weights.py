"""A model's folder, found or fetched by a process of its own: the import needs MLX, which the agent never loads."""

import asyncio
import sys
from collections.abc import Callable

import msgspec

from shared.errors import Fault, Refused

_COMMAND = (sys.executable, "-P", "-m", "worker.catalog", "pull", "--json", "--")


class Found(msgspec.Struct, frozen=True):
    """A model on this machine: its folder, the name of the queue it serves, and the folder of its adapter, if any."""

    queue: str
    path: str
    adapter: str | None = None


class _Line(msgspec.Struct):
    status: str
    message: str = ""
    progress: float | None = None
    queue: str = ""
    path: str = ""
    adapter: str | None = None


async def fetch(name: str, on_progress: Callable[[str, float | None], None]) -> Found:
    """Bring the model of this name to the machine; the empty name is MLX_MODEL_PATH's, or the default.

    Raises:
        Refused: no such model, or it can't be had from here; the message says what to do.
        Fault: the disk is full, or what was fetched is damaged.

    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, name, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    assert process.stdout
    assert process.stderr
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
    message = (
        said.splitlines()[-1].removeprefix("mlx-pool models: ") if said else "The model could not be brought here."
    )
    if code == 2:
        raise Refused("model_not_found", message, param="model")
    raise Fault("engine_failed", message)
