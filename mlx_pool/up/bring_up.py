"""From nothing to a pool that answers, and back to nothing: the course of one `up`."""

import asyncio
import math
import os
import shlex
import signal
import socket
import time
from collections.abc import Generator
from contextlib import aclosing, contextmanager
from functools import partial

from mlx_pool.data_folder import data_folder
from mlx_pool.failure import CommandError, Failed, Unusable
from mlx_pool.lan.announcement import announce
from mlx_pool.own_name import own_name
from shared.connection import check_broker, connect
from shared.errors import Fault, PoolError
from shared.identity import host_name
from shared.pool import Pool

from . import health
from .address import local_host
from .broker import broker_part
from .crew import Crew, Ending
from .kept_part import KeptPart
from .plan import bare_join_line, curl_line, gateway_part, guardian_part, join_line, models_told, worker_parts
from .screen import Screen
from .setting import Setting
from .state import State, StateFile

_ASK_BROKER_EVERY_S = 0.1
# One Ctrl-C may come twice: from the terminal, and from a parent that passes it on. `uv run` does so 0.2 s later, where
# it is not sure that the terminal has.
_ECHO_S = 0.5
_BROKER_DEATHS = 3  # before it first answered; then it is no accident


async def bring_up_and_wait(setting: Setting, screen: Screen) -> int:
    """Start everything, keep it until somebody or something ends it, stop everything; returns the exit code.

    Raises:
        CommandError: it ended because something can't work; nothing is left running then either.

    """
    folder = setting.folder
    key_file = None if setting.key_file is None else str(setting.key_file)
    state = StateFile(folder.state, State(setting.flags.http_url, setting.redis_url, key_file))
    async with asyncio.TaskGroup() as tasks:
        crew = Crew(tasks, state, folder.logs, screen, partial(_bury, setting.redis_url, own_name(setting.env)))
        with _signals_to(crew, screen):
            start = tasks.create_task(_start(crew, setting, screen))
            ending = await crew.ended()
            start.cancel()
            screen.settle()
            is_orderly = await crew.stop()
    folder.state.unlink(missing_ok=True)
    if ending.error is not None:
        raise ending.error
    return 0 if is_orderly else 1


@contextmanager
def _signals_to(crew: Crew, screen: Screen) -> Generator[None]:
    loop = asyncio.get_running_loop()
    answered_at = -math.inf

    def answer() -> None:
        nonlocal answered_at
        if loop.time() - answered_at < _ECHO_S:
            return
        answered_at = loop.time()
        drains = "stopping: what runs gets time to end; Ctrl-C again stops at once"
        screen.say(drains if crew.is_running else "stopping at once")
        crew.stop_or_kill()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, answer)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # all is down: one Ctrl-C more must not change the exit code


async def _start(crew: Crew, setting: Setting, screen: Screen) -> None:
    began = time.monotonic()
    flags, env = setting.flags, setting.env
    try:
        crew.start(guardian_part(setting.folder.path, os.getpid(), env))
        await _start_queue(crew, setting, screen)
        keys = setting.keys_file
        crew.start(gateway_part(flags, setting.redis_url, setting.model, setting.key_file, env, keys_file=keys))
        for part in worker_parts(flags, setting.redis_url, setting.model, env):
            crew.start(part)
        models = models_told(flags, setting.model)
        screen.say(f"gateway and {flags.workers} worker(s) starting: {models}, engine {flags.engine}")
        door = health.Door(local_host(flags.host), flags.port, setting.api_key)
        await health.until("ready" if flags.workers else "alive", door)
    except CommandError as error:
        crew.end(Ending(error))
        return
    screen.settle()
    screen.say(_welcome(setting, time.monotonic() - began))
    # Not with TLS: whoever is on the network could tell of another pin, and the line is there to be trusted.
    if setting.broker is not None and not flags.tls:
        name = host_name(socket.gethostname().partition(".")[0])
        await announce(name, flags.host, setting.broker.port, models=models, say=screen.say, env=env)


async def _start_queue(crew: Crew, setting: Setting, screen: Screen) -> None:
    if setting.broker is None:
        try:
            await _ask_broker(setting.redis_url, screen)
        except Fault as fault:
            screen.say(f"{fault.message} The gateway answers 503 until it does.")
        return
    screen.say(f"queue starting on port {setting.broker.port}, its data in {setting.broker.folder}")
    kept = crew.start(broker_part(setting.broker.binary, setting.broker.config, setting.env))
    while not await _answers(setting.redis_url, screen):
        if kept.deaths >= _BROKER_DEATHS:
            raise Failed(_why_no_queue(kept))
        await asyncio.sleep(_ASK_BROKER_EVERY_S)


async def _answers(redis_url: str, screen: Screen) -> bool:
    try:
        await _ask_broker(redis_url, screen)
    except Fault:
        return False
    return True


async def _ask_broker(redis_url: str, screen: Screen) -> None:
    try:
        async with aclosing(connect(redis_url, name="up")) as client:
            for warning in await check_broker(client):
                screen.say(f"queue: warning: {warning}")
    except Fault:
        raise
    except PoolError as error:
        raise Unusable(error.message) from error


async def _bury(redis_url: str, name: str, pid: int) -> None:
    """Tell the queue that a worker of ours is gone: what it ran goes on elsewhere at once."""
    client = connect(redis_url, name="up")
    try:
        await Pool(client).bury(name, pid)
    except Fault:
        return  # its lease ends by itself
    finally:
        await client.aclose()


def _why_no_queue(kept: KeptPart) -> str:
    return f"The queue does not start: {kept.last_words} (all of it: {kept.log_path})"


def _welcome(setting: Setting, took_s: float) -> str:
    flags = setting.flags
    serves = "serves" if flags.workers else "waits for workers of"
    lines = [
        f"ready after {took_s:.1f} s: {flags.http_url} {serves} {models_told(flags, setting.model)}",
        "",
        f"  {curl_line(flags, setting.key_file)}",
        "",
    ]
    if flags.is_open and setting.broker is not None:
        lines += ["another machine joins with", f"  {join_line(flags, setting.redis_url, setting.model)}"]
        lines += ["and one on which nothing is installed yet with (it asks for the password in the line above)"]
        lines += [f"  {bare_join_line(flags, setting.redis_url, setting.model)}", ""]
    shown = f"{flags.http_url} in a browser or `{_status_line(setting)}` shows it"
    lines.append(f"Ctrl-C stops it · {shown} · logs in {setting.folder.logs}")
    return "\n".join(lines)


def _status_line(setting: Setting) -> str:
    """What shows this pool, typed elsewhere: other commands do not know of `--data`."""
    path = setting.folder.path
    is_usual = path == data_folder(None, setting.env).path
    return "mlx-pool status" if is_usual else f"MLX_POOL_DATA={shlex.quote(str(path))} mlx-pool status"
