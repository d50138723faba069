"""All that Redis holds of one queue, read in two round trips and past every script."""

from typing import Any

import msgspec

from shared.event import decode_event
from shared.job import JOB_ID
from shared.keys import CLASSES
from shared.queue import LogEntry
from tests.shared.conftest import Lab

from .gist import gist_of
from .world import WINDOW


class Place(msgspec.Struct, frozen=True):
    """An entry of a stream; `reader` is empty while nobody has read it, and the window's while all see it."""

    id: str
    job_id: str
    reader: str
    not_on: str


class Sight(msgspec.Struct, frozen=True):
    """The queue at one instant, since nobody else is there."""

    now_ms: int
    streams: dict[str, list[Place]]
    consumers: set[tuple[str, str]]
    records: dict[str, dict[str, str]]
    logs: dict[str, list[LogEntry]]
    leases: dict[str, float]
    workers: set[str]
    deadlines: dict[str, float]
    dead: list[tuple[str, str]]
    replies: list[tuple[str, str]]
    cancels: list[str]
    tenants: dict[str, int]  # `waiting <tenant>`, `running <tenant>`: how many
    expiries: dict[str, int]  # key without the prefix → ms of Redis TIME; -1: none

    def waiting(self, stream: str) -> int:
        """How many entries of a class nobody has taken."""
        return sum(place.reader in {"", WINDOW} for place in self.streams[stream])

    def running(self) -> int:
        """How many entries were taken."""
        return sum(place.reader not in {"", WINDOW} for places in self.streams.values() for place in places)

    def lasting(self) -> dict[str, object]:
        """All but leases and what else comes and goes with time, by name."""
        expiries = {f"expiry of {key}": at for key, at in self.expiries.items() if key.startswith(("job:", "log:"))}
        named = {"deadlines": self.deadlines, "dead": self.dead, "replies": self.replies, "cancels": self.cancels}
        return {
            **self.records,
            **self.streams,
            **named,
            **expiries,
            **{f"log {key}": log for key, log in self.logs.items()},
        }


async def look(here: Lab) -> Sight:
    """Read everything."""
    prefix = f"{here.keys.prefix}:"
    time, keys = await here.client.commands([("TIME",), ("KEYS", f"{prefix}*")])
    names = sorted(key.decode().removeprefix(prefix) for key in keys)
    jobs, logs = _named(names, "job:"), _named(names, "log:")
    fixed: list[tuple[str, ...]] = [
        ("ZRANGE", f"{prefix}{name}", "0", "-1", "WITHSCORES") for name in ("workers", "deadlines")
    ]
    fixed += [("XRANGE", f"{prefix}{name}", "-", "+") for name in ("dead", "reply:me", "cancels")]
    fixed.append(("HGETALL", f"{prefix}tenants"))
    rows = [("XINFO", "STREAM", here.keys.jobs(name), "FULL", "COUNT", "0") for name in CLASSES]
    rows += [("HGETALL", here.keys.job(name)) for name in jobs] + [
        ("XRANGE", here.keys.log(name), "-", "+") for name in logs
    ]
    told = iter(await here.client.commands([*fixed, *rows, *(("PEXPIRETIME", prefix + name) for name in names)]))
    leases, deadlines = (_pairs(next(told)) for _ in range(2))
    dead, replies, cancels = ([_texts(fields) for _, fields in next(told)] for _ in range(3))
    tenants = _texts(next(told))
    infos = {name: _pairs(next(told)) for name in CLASSES}
    return Sight(
        now_ms=int(time[0]) * 1_000 + int(time[1]) // 1_000,
        streams={name: _places(name, info) for name, info in infos.items()},
        consumers={(name, reader) for name, info in infos.items() for reader in _consumers(info)},
        records={name: _texts(next(told)) for name in jobs},
        logs={name: [_log_entry(*row) for row in next(told)] for name in logs},
        leases={name: float(ends) for name, ends in leases.items()},
        workers=set(_named(names, "worker:")),
        deadlines={name: float(at) for name, at in deadlines.items()},
        dead=[(fields["why"], fields.get("id", "")) for fields in dead],
        replies=[(fields["id"], gist_of_data(fields["e"].encode())) for fields in replies],
        cancels=[fields["id"] for fields in cancels],
        tenants={what: int(n) for what, n in tenants.items()},
        expiries={name: next(told) for name in names},
    )


def gist_of_data(data: bytes) -> str:
    """The gist of an event as it is logged."""
    event = decode_event(data)
    assert event, f"{data!r} is no event"
    return gist_of(event)


def _named(names: list[str], kind: str) -> list[str]:
    return [name.removeprefix(kind) for name in names if name.startswith(kind)]


def _texts(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


def _pairs(flat: Any) -> dict[str, Any]:
    pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)  # pyright: ignore[reportUnknownVariableType] redis-py's callbacks decide the shape
    return {name.decode(): value for name, value in pairs}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] likewise


def _group(info: dict[str, Any]) -> dict[str, Any]:
    (group,) = info["groups"]
    return _pairs(group)


def _consumers(info: dict[str, Any]) -> list[str]:
    names = [_pairs(consumer)["name"].decode() for consumer in _group(info)["consumers"]]
    return [name for name in names if name != WINDOW]  # it stays


def _places(stream: str, info: dict[str, Any]) -> list[Place]:
    readers = {row[0]: row[1].decode() for row in _group(info)["pending"]}
    places: list[Place] = []
    for entry_id, flat in info["entries"]:
        fields, default = _pairs(flat), f"{stream}-{entry_id.decode()}"
        job_id = fields.get("id", default.encode()).decode()
        places.append(
            Place(
                entry_id.decode(),
                job_id if JOB_ID.fullmatch(job_id) else default,
                readers.pop(entry_id, ""),
                fields.get("not_on", b"").decode(),
            )
        )
    assert not readers, f"pending in {stream}, but not there: {readers}"
    return places


def _log_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    seq, attempt = entry_id.split(b"-")
    return LogEntry(int(seq), int(attempt), fields[b"e"])
