"""The command `mlx-pool up`: its flags, what it checks before anything starts, and the lock around it all."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mlx_pool.arguments import EngineFlag, OnDemandFlag, call
from mlx_pool.data_folder import DataFolder, data_folder
from mlx_pool.failure import Unusable
from mlx_pool.part import require

from .address import check_free
from .bring_up import bring_up_and_wait
from .lock import Held, hold
from .plan import Flags, check_flags
from .screen import Screen, choose_screen
from .setting import settle
from .state import end_leftovers, read_state

_MemoryLimit = Annotated[
    float | None, Parameter(help="GiB that each worker's engine may have. [default: all of the device's]")
]
_ModelsMemory = Annotated[
    float | None,
    Parameter(help="GiB that a worker's models on demand may fill together. [default: 3/4 of the memory]"),
]
_KeepLoaded = Annotated[
    float | None, Parameter(help="Unload what had no job for so long. [default: only when room is needed]")
]
_Redis = Annotated[
    str | None, Parameter(help="redis://:PASSWORD@HOST:PORT of a queue that runs, instead of the embedded one.")
]
_Tls = Annotated[
    bool, Parameter(negative="", help="The embedded queue speaks TLS; who joins by the printed line trusts it alone.")
]
_Alias = Annotated[str | None, Parameter(help="NAME=MODEL,…: other names that clients may use; * is any name.")]


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(up, argv, name="up")


def up(
    *,
    workers: Annotated[int, Parameter(help="How many workers; 0 when they all join from elsewhere.")] = 1,
    model: Annotated[
        str | None, Parameter(help="A name, a folder or a Hugging Face id. [default: smollm2-135m]")
    ] = None,
    engine: EngineFlag = "mlx",
    slots: Annotated[int | None, Parameter(help="Jobs at once in each worker.")] = None,
    memory_limit_gb: _MemoryLimit = None,
    on_demand: OnDemandFlag = None,
    models_memory_gb: _ModelsMemory = None,
    keep_loaded_s: _KeepLoaded = None,
    host: Annotated[
        str, Parameter(help="Where gateway and queue listen; off loopback both ask for made secrets.")
    ] = "127.0.0.1",
    port: Annotated[int, Parameter(help="The gateway's port.")] = 8081,
    redis: _Redis = None,
    tls: _Tls = False,
    model_alias: _Alias = None,
    data: Annotated[Path | None, Parameter(help="Where the queue's data, secrets and logs are kept.")] = None,
) -> int:
    """Start everything on this machine: an embedded queue, the gateway and workers.

    Ctrl-C drains and stops all of it; a second one stops at once. Waiting jobs are there again at the next start.
    """
    queue = redis or os.environ.get("MLX_POOL_REDIS_URL")
    flags = Flags(
        workers=workers,
        model=model,
        engine=engine,
        slots=slots,
        memory_limit_gb=memory_limit_gb,
        on_demand=on_demand,
        models_memory_gb=models_memory_gb,
        keep_loaded_s=keep_loaded_s,
        host=host,
        port=port,
        redis=queue,
        tls=tls,
        model_alias=model_alias,
    )
    check_flags(flags)
    require("gateway")
    if workers and engine == "mlx":
        require("mlx")
    folder = data_folder(data, os.environ)
    folder.create()
    return _hold_and_run(flags, folder, choose_screen())


def _hold_and_run(flags: Flags, folder: DataFolder, screen: Screen) -> int:
    try:
        with hold(folder.lock, "up"):
            return _run(flags, folder, screen)
    except Held as held:
        if held.role != "guardian":
            raise Unusable(_already_runs(folder)) from held
    screen.say("what a killed run left is still ending; waiting for it")
    with hold(folder.lock, "up", wait=True):
        return _run(flags, folder, screen)


def _run(flags: Flags, folder: DataFolder, screen: Screen) -> int:
    if ended := end_leftovers(folder.state):
        screen.say(f"ended what an earlier run left: {', '.join(ended)}")
    check_free(flags.host, flags.port, "--port")
    try:
        setting = settle(flags, folder, os.environ)
    except OSError as error:
        raise Unusable(f"The data folder {folder.path} can't be used: {error}.") from error
    # Ctrl-Z would stop this process alone, and the parts would block once their log pipes are full.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    return asyncio.run(bring_up_and_wait(setting, screen))


def _already_runs(folder: DataFolder) -> str:
    state = read_state(folder.state)
    where = f" at {state.http_url}" if state else ""
    return f"A pool already runs on {folder.path}{where}: stop it first, or give another folder with --data DIR."
