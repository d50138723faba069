"""A worker's models for other machines: a process that gives them away, and the pool's knowledge of it, kept true.

It is beside the serving: whatever fails here is logged, and costs no job anything.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import msgspec
import structlog

from shared.errors import Fault, PoolError
from shared.peers import TELL_EVERY_S, Peers
from shared.supply import Peer, Stock

from .outside import read_place, urls_of
from .peer.pipe import AnyWord, Give, Gives, Keeps, Open
from .weights import Found

_AGAIN_AFTER_S = 10.0
_USAGE = 2
_WORD = msgspec.json.Decoder(AnyWord)
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Sharing:
    """Gives away what it is told of, while `run` runs. `peer_id` is this worker's name among those who give."""

    def __init__(self, peers: Peers, place: str, *, peer_id: str, redis_url: str) -> None:
        """Refused: the place is none."""
        self._peers = peers
        self._host, self._port = read_place(place)
        self._id = peer_id
        self._redis_url = redis_url
        self._models: dict[str, Give] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._peer: Peer | None = None
        self._news = asyncio.Event()

    def give(self, found: Found) -> None:
        """Give this model away from now on, once it has been read; one with an adapter stays here."""
        if found.adapter is not None or not found.path:
            return
        give = self._models[found.queue] = Give(found.queue, found.path)
        self._send([give])

    async def run(self) -> None:
        """Give models away until cancelled; returns only if this machine can't listen there."""
        telling = asyncio.create_task(self._keep_telling())
        try:
            while True:
                if await self._live_once() == _USAGE:
                    return
                await asyncio.sleep(_AGAIN_AFTER_S)
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            with contextlib.suppress(PoolError):
                await self._peers.leave(self._id)

    async def _live_once(self) -> int | None:
        """Run the process to its end, and tell of that; gives its exit code."""
        try:
            code, said = await self._live()
        except (OSError, ValueError, msgspec.DecodeError) as error:  # a line can be too long
            code, said = None, str(error)
        _log.warning("models_not_shared", reason=said or f"exit code {code}")
        return code

    async def _live(self) -> tuple[int, str]:
        pipe = asyncio.subprocess.PIPE
        # -P: as for the engine. A session of its own: no terminal's Ctrl-C reaches it before the worker has drained.
        command = (sys.executable, "-P", "-m", "worker.peer", self._host, str(self._port))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        assert process.stdout
        assert process.stderr
        self._process = process
        words = asyncio.create_task(_last_words(process.stderr))
        try:
            self._send(list(self._models.values()))
            async for line in process.stdout:
                await self._hear(_WORD.decode(line))
            return await process.wait(), await words
        finally:
            self._process = self._peer = None
            if process.returncode is None:
                process.kill()
                await process.wait()
            words.cancel()

    async def _hear(self, word: AnyWord) -> None:
        match word:
            case Open():
                # In a thread: names are looked up, and a slow answer must not cost a lease.
                urls = await asyncio.to_thread(urls_of, self._host, word.port, self._redis_url)
                self._peer = Peer(id=self._id, urls=urls, token=word.token, models={})
                _log.info("models_shared", urls=urls)
            case Gives():
                assert self._peer, "it opens before it gives"
                stock = Stock(digest=word.digest, bytes=word.bytes, fingerprint=word.fingerprint)
                self._peer = msgspec.structs.replace(self._peer, models=self._peer.models | {word.queue: stock})
                self._news.set()
                _log.info("model_shared", model=word.queue, digest=word.digest)
            case Keeps():
                _log.warning("model_not_shared", model=word.queue, reason=word.reason)

    async def _keep_telling(self) -> None:
        """Tell the pool again and again; what can't be told is logged once."""
        has_failed = False
        while True:
            self._news.clear()
            try:
                if self._peer is not None and self._peer.models:
                    await self._peers.announce(self._peer)
                has_failed = False
            except Fault as fault:
                if not has_failed:
                    _log.warning("models_not_announced", reason=fault.message)
                has_failed = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY_S):
                    await self._news.wait()

    def _send(self, gives: Sequence[Give]) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(b"".join(msgspec.json.encode(give) + b"\n" for give in gives))


async def _last_words(stream: asyncio.StreamReader) -> str:
    """Read all that it says, and keep the last line: strangers who knock can make it say much."""
    last = b""
    async for line in stream:
        last = line.strip() or last
    return last.decode(errors="replace")
