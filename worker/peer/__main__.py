"""`python -m worker.peer HOST PORT`: gives models to other machines, until its stdin ends.

A process of its own, at a low priority: reading a hundred gigabytes must not delay a heartbeat. On stdin it is told
what to give, on stdout it tells what it gives (`pipe`). Exit code 2: it can't listen there.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import msgspec
import uvicorn

from shared.errors import PoolError
from worker.catalog.folders import models_folders

from .door import door
from .pipe import AnyWord, Give, Gives, Keeps, Open
from .stock import Given, given

_NICE = 10
_AT_ONCE = 64
_USAGE = 2


def main() -> int:
    """Run it; the result is the exit code."""
    host, port = sys.argv[1], int(sys.argv[2])
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        sys.stderr.write(f"{host}:{port} can't be listened on: {error.strerror or error}\n")
        return _USAGE
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with listening, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(listening))
    return 0


async def _serve(listening: socket.socket) -> None:
    token, by_digest = secrets.token_urlsafe(32), dict[str, Given]()
    config = uvicorn.Config(
        door(token, by_digest),
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_AT_ONCE,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    _say(Open(listening.getsockname()[1], token))
    wanted = SimpleQueue[Give]()
    # Not the loop's own threads: those would be waited for at the end, and a hundred gigabytes take minutes to read.
    Thread(target=_read, args=(wanted, by_digest), daemon=True).start()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[listening]))
        hearing = tasks.create_task(_hear(wanted))
        await asyncio.wait([serving, hearing], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        hearing.cancel()


async def _hear(wanted: "SimpleQueue[Give]") -> None:
    """Take in what to give, until nobody says anything any more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        wanted.put(msgspec.json.decode(line, type=Give))


def _read(wanted: "SimpleQueue[Give]", by_digest: dict[str, Given]) -> None:
    """Read what is wanted, one after the other; in a thread of its own."""
    notes = models_folders(os.environ)[0] / ".checksums"
    while True:
        give = wanted.get()
        try:
            found = given(give.queue, Path(give.path), notes)
        except (PoolError, OSError) as error:
            _say(Keeps(give.queue, str(error)))
            continue
        by_digest[found.digest] = found
        _say(Gives(found.queue, found.digest, found.bytes, found.fingerprint))


def _say(word: AnyWord) -> None:
    sys.stdout.write(msgspec.json.encode(word).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
