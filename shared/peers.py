"""Who gives models to others, told and read in Redis: it is the one place that only machines of the pool can see."""

import msgspec

from .connection import Broker
from .keys import PEERS, Keys
from .supply import Peer, Supply, supply_of

TELL_EVERY_S = 5.0
_BELIEVED_MS = 20_000


class _Told(Peer, frozen=True, kw_only=True):
    at_ms: int  # by Redis's clock


class Peers:
    """The machines of a pool that give models away. Raises as `Broker.command` does, also where rights are missing."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def announce(self, peer: Peer) -> None:
        """Tell of a peer; it is believed for some seconds, so this is to be said again every `TELL_EVERY_S`."""
        told = _Told(**msgspec.structs.asdict(peer), at_ms=await self._now_ms())
        await self._broker.command("HSET", PEERS, peer.id, msgspec.json.encode(told))
        await self._broker.command("PEXPIRE", PEERS, _BELIEVED_MS)
        for gone in await self._gone(told.at_ms):
            await self._broker.command("HDEL", PEERS, gone)

    async def leave(self, peer_id: str) -> None:
        """Tell that this peer gives nothing any more."""
        await self._broker.command("HDEL", PEERS, peer_id)

    async def all(self) -> list[Peer]:
        """Read who gives models away now; what can't be read is nobody."""
        rows, now_ms = await self._rows(), await self._now_ms()
        return [told for told in map(_read, rows.values()) if told and now_ms - told.at_ms < _BELIEVED_MS]

    async def supply(self, queue: str) -> Supply | None:
        """Find who has this queue's model: with the weights that its workers have registered, where they have."""
        known: bytes | None = await self._broker.command("HGET", Keys(queue).weights, "fingerprint")
        return supply_of(queue, await self.all(), (known or b"").decode())

    async def _gone(self, now_ms: int) -> list[bytes]:
        told = {name: _read(data) for name, data in (await self._rows()).items()}
        return [name for name, each in told.items() if each is None or now_ms - each.at_ms >= _BELIEVED_MS]

    async def _rows(self) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] = await self._broker.command("HGETALL", PEERS)
        return rows

    async def _now_ms(self) -> int:
        seconds, micros = await self._broker.command("TIME")
        return int(seconds) * 1_000 + int(micros) // 1_000


def _read(data: bytes) -> _Told | None:
    try:
        return msgspec.json.decode(data, type=_Told)
    except msgspec.DecodeError:
        return None
