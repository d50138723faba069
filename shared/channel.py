"""Live events: one connection that carries all the channels a process listens to.

Pub/sub may lose anything, so this is the fast path only: whoever listens counts seqs and reads the log where one is
missing. One task owns the connection, its subscriptions and its reconnecting. A server that is frozen sends nothing
and closes nothing; a PING with a deadline finds it out.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from .connection import CONNECTION_ERRORS, connect
from .errors import Fault

PING_EVERY_S = 1.0
SILENT_AFTER_S = 3.0
RECONNECT_AFTER_S = 0.1
CONFIRM_WITHIN_S = 2.0
FENCE_WITHIN_S = 30.0  # while there is always something to hear; silence ends the connection sooner


class Batch(msgspec.Struct, frozen=True):
    """One published message: events first_seq, first_seq+1, … of one attempt, as JSON. `worker` is its random part."""

    attempt: int
    worker: str
    first_seq: int
    events: list[bytes]


def parse_batch(payload: bytes) -> Batch:
    """Read a message: `<attempt> <worker> <first seq>`, then a line an event."""
    head, *events = payload.split(b"\n")
    attempt, worker, first_seq = head.split(b" ")
    return Batch(int(attempt), worker.decode(), int(first_seq), events)


class Subscription:
    """One listener's interest in one channel."""

    __slots__ = ("channel", "on_gap", "on_payload")

    def __init__(self, channel: bytes, on_payload: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        self.channel = channel
        self.on_payload = on_payload
        self.on_gap = on_gap

    def hush(self) -> None:
        """Stay on the channel, for others to see, and hear nothing more."""
        self.on_payload = _ignore
        self.on_gap = _do_nothing


class Listener:
    """Listens to any number of channels over one connection; `run` must be running."""

    def __init__(self, url: str, *, name: str) -> None:
        # No timeout: silence is normal here, and judged by the answers to PING.
        self._broker = connect(url, name=name, timeout_ms=None)
        self._channels: dict[bytes, set[Subscription]] = {}
        self._acks: deque[asyncio.Future[None]] = deque()  # Redis confirms in the order of the commands
        self._pings: deque[asyncio.Future[None] | None] = deque()  # and answers these in theirs
        self._outbox: list[tuple[bytes, ...]] = []
        self._wake = asyncio.Event()
        self._heard_at = 0.0
        self.is_connected = False

    async def run(self) -> None:
        """Keep the connection, for ever: reconnect, subscribe again, tell listeners that they may have missed some."""
        while True:
            connection = self._broker.new_connection()
            try:
                async with asyncio.timeout(CONFIRM_WITHIN_S):  # a frozen server takes connections, and says nothing
                    await connection.connect()
                await self._serve(connection)
            except CONNECTION_ERRORS:
                self._forget_acks()
            finally:
                self.is_connected = False
                with contextlib.suppress(*CONNECTION_ERRORS):
                    await connection.disconnect(nowait=True)
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def listen(self, channel: str, on_batch: Callable[[Batch], None], on_gap: Callable[[], None]) -> Subscription:
        """Listen to a job's channel; returns when Redis has confirmed. `on_gap`: some may have been missed.

        Raises:
            Fault: Redis does not answer.

        """

        def on_payload(payload: bytes) -> None:
            try:
                batch = parse_batch(payload)
            except ValueError:
                on_gap()  # somebody published what is no batch: the log knows better
            else:
                on_batch(batch)

        return await self.listen_raw(channel, on_payload, on_gap)

    async def listen_raw(
        self, channel: str, on_payload: Callable[[bytes], None], on_gap: Callable[[], None]
    ) -> Subscription:
        """Listen to any channel, messages as they are."""
        subscription = Subscription(channel.encode(), on_payload, on_gap)
        await self.listen_all([subscription])
        return subscription

    async def listen_all(self, subscriptions: Sequence[Subscription]) -> None:
        """Listen to several channels in one round trip: to all of them or none.

        Raises:
            Fault: Redis does not answer.

        """
        if not self.is_connected:
            raise Fault("broker_down", "Redis does not answer.")
        for each in subscriptions:
            self._channels.setdefault(each.channel, set()).add(each)
        try:
            # Also for a channel that has listeners: its first subscribe may be unconfirmed yet, and twice is harmless.
            await _confirmed([self._post(b"SUBSCRIBE", each.channel) for each in subscriptions])
        except BaseException:
            for each in subscriptions:
                if self._leave(each) and self.is_connected:
                    self._post(b"UNSUBSCRIBE", each.channel)
            raise

    async def mute(self, subscription: Subscription) -> bool:
        """Stop listening; True when it was this process's last listener there, and then Redis has confirmed."""
        is_last = self._leave(subscription)
        if is_last and self.is_connected:
            with contextlib.suppress(Fault):
                await _confirmed([self._post(b"UNSUBSCRIBE", subscription.channel)])
            # Somebody may have come while Redis was answering.
            is_last = subscription.channel not in self._channels
        return is_last

    async def fence(self) -> bool:
        """Wait until all is heard that was published before this call; False: that can't be, the connection is broken.

        Redis answers a PING on the connection of the channels, so behind what it has sent there before.
        """
        if not self.is_connected:
            return False
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ping_for(answer)
        try:
            async with asyncio.timeout(FENCE_WITHIN_S):
                await answer
        except (TimeoutError, Fault):
            return False
        return True

    def _leave(self, subscription: Subscription) -> bool:
        listeners = self._channels.get(subscription.channel, set())
        listeners.discard(subscription)
        if not listeners:
            self._channels.pop(subscription.channel, None)
        return not listeners

    def _post(self, *command: bytes) -> asyncio.Future[None]:
        ack: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acks.append(ack)
        self._outbox.append(command)
        self._wake.set()
        return ack

    def _ping_for(self, answer: asyncio.Future[None] | None) -> None:
        self._pings.append(answer)
        self._outbox.append((b"PING",))
        self._wake.set()

    def _forget_acks(self) -> None:
        self._outbox.clear()
        waiting = [*self._acks, *filter(None, self._pings)]
        self._acks.clear()
        self._pings.clear()
        for ack in waiting:
            _fail(ack, "Redis went away.")

    async def _serve(self, connection: AbstractConnection) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._forget_acks()
        # Channels with listeners from before: subscribe first, then tell them to look at their logs.
        channels = list(self._channels)
        known = set(channels)
        confirmations = [self._post(b"SUBSCRIBE", channel) for channel in channels]
        self.is_connected = True
        work = (self._read(connection), self._write(connection), self._ping(), self._resync(confirmations, known))
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks[:3], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.is_connected = False
            self._forget_acks()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _resync(self, confirmations: list[asyncio.Future[None]], known: set[bytes]) -> None:
        # One that is refused is its listeners' own trouble.
        await asyncio.gather(*confirmations, return_exceptions=True)
        if not self.is_connected:
            return
        for channel in known & self._channels.keys():
            for subscription in tuple(self._channels[channel]):
                subscription.on_gap()

    async def _read(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                reply = await _next_reply(connection)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
            except ResponseError as error:
                if not self._acks:
                    raise
                # A channel that this user has no right to: that ends nobody else's listening.
                _fail(self._acks.popleft(), f"Redis refuses: {error}.")
                continue
            finally:
                self._heard_at = loop.time()
            if reply[0] == b"message":
                for subscription in tuple(self._channels.get(reply[1], ())):
                    subscription.on_payload(reply[2])
            elif reply[0] in {b"subscribe", b"unsubscribe"}:
                _settle(self._acks.popleft())
            elif reply[0] == b"pong" or reply == b"PONG":  # the latter where there are no channels
                _settle(self._pings.popleft())

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            commands, self._outbox = self._outbox, []
            packed = b"".join(part for command in commands for part in _pack(connection, command))
            await connection.send_packed_command(packed, check_health=False)

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_EVERY_S)
            if loop.time() - self._heard_at > SILENT_AFTER_S:
                raise TimeoutError("Redis is silent")
            self._ping_for(None)


async def _confirmed(acks: Sequence[asyncio.Future[None]]) -> None:
    try:
        async with asyncio.timeout(CONFIRM_WITHIN_S):
            for ack in acks:
                await ack
    except TimeoutError as error:
        raise Fault("broker_down", "Redis does not answer.") from error


def _ignore(_: bytes) -> None:
    pass


def _do_nothing() -> None:
    pass


def _settle(waiting: asyncio.Future[None] | None) -> None:
    if waiting and not waiting.done():
        waiting.set_result(None)


def _fail(waiting: asyncio.Future[None], why: str) -> None:
    if not waiting.done():
        waiting.set_exception(Fault("broker_down", why))
        waiting.exception()  # whoever waited may be gone: not a warning then


async def _next_reply(connection: AbstractConnection) -> Any:
    return await connection.read_response(disable_decoding=True, timeout=None)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs


def _pack(connection: AbstractConnection, command: tuple[bytes, ...]) -> list[bytes]:
    return connection.pack_command(*command)  # pyright: ignore[reportUnknownVariableType] redis-py's stubs
