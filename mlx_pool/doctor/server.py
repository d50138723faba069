"""The Redis or Valkey that carries the pool: what is known of it, and whether that is as it should be. No I/O."""

import statistics
from collections.abc import Iterator

import msgspec

from mlx_pool.terminal import clean
from shared.connection import MIN_REDIS, MIN_VALKEY

from .finding import Finding, bad, ok, warn

PUBSUB_BYTES = 64 << 20
_SLOW_MS, _TOO_SLOW_MS = 5.0, 200.0  # of a median PING; a beat is due each 500 ms, and a call ends after 2 s
_JUMP_MS = 1_000.0  # a single PING that took so long
_FULL, _TOO_FULL = 0.8, 0.95
_CLOCKS_APART_MS, _STEP_MS = 2_000.0, 100.0
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server, as it told of itself. `settings` is None where it denies CONFIG."""

    address: str
    kind: str
    version: str
    role: str = "master"
    policy: str = "noeviction"  # what it does when it is full
    settings: dict[str, str] | None = None
    pings_ms: tuple[float, ...] = ()
    offsets_ms: tuple[float, ...] = ()  # its clock less ours, looked at some times in a row
    used_bytes: int = 0
    maxmemory_bytes: int = 0  # 0: no limit
    machine_bytes: int = 0  # all memory of its machine; 0: not known
    evicted_keys: int = 0
    rejected_connections: int = 0
    aof_enabled: bool = True
    failed_writes: tuple[str, ...] = ()  # which of its last writes to disk failed
    user: str | None = None  # None: it does not say


def judge_server(server: Server) -> Iterator[Finding]:
    """Judge everything that is known of it."""
    yield _version(server)
    yield _latency(server)
    yield from _settings(server)
    yield _persistence(server)
    yield _memory(server)
    yield _user(server)
    yield _clock(server)


def _version(server: Server) -> Finding:
    least = MIN_VALKEY if server.kind == "Valkey" else MIN_REDIS
    told = f"{server.kind} {clean(server.version)} at {clean(server.address)}"
    if tuple(int(part) for part in server.version.split(".")[:2] if part.isdecimal()) < least:
        return bad("redis", f"{told} is too old.", f"Install {server.kind} {least[0]}.{least[1]} or newer.")
    if server.role != "master":
        return bad("redis", f"{told} is a replica: nothing can be written there.", "Give the address of its primary.")
    return ok("redis", f"{told}.")


def _latency(server: Server) -> Finding:
    if not server.pings_ms:
        return warn("latency", "It was not measured.", "Run it again.")
    median, most = statistics.median(server.pings_ms), max(server.pings_ms)
    told = f"A PING takes {median:.1f} ms, the longest {most:.1f} ms."
    nearer = (
        "Put Redis on the same network by wire, and off machines that compute; look for slow commands: SLOWLOG GET."
    )
    if median >= _TOO_SLOW_MS or most >= _JUMP_MS:
        return bad("latency", f"{told} Leases last 2 s: workers will be taken for dead.", nearer)
    if median >= _SLOW_MS:
        return warn("latency", f"{told} Each flush of tokens waits for that.", nearer)
    return ok("latency", told)


def _settings(server: Server) -> Iterator[Finding]:
    wrong = list(_wrong_settings({"maxmemory-policy": server.policy} | (server.settings or {})))
    yield from wrong
    if server.settings is None:
        told = "CONFIG is denied here, so most settings were not checked."
        yield warn("settings", told, "Compare them with the table of settings in docs/operations.md.")
    elif not wrong:
        yield ok("settings", "They are as a pool needs them.")


def _wrong_settings(told: dict[str, str]) -> Iterator[Finding]:
    if (policy := told.get("maxmemory-policy", "noeviction")) != "noeviction":
        yield bad(
            "settings",
            f"maxmemory-policy is {policy}: a full Redis throws jobs away.",
            _set("maxmemory-policy noeviction"),
        )
    if told.get("appendonly") == "no":
        yield warn("settings", "appendonly is off: jobs do not survive a restart of Redis.", _set("appendonly yes"))
    elif told.get("appendfsync") == "no":
        yield warn(
            "settings", "appendfsync is no: a crash may lose half a minute of jobs.", _set("appendfsync everysec")
        )
    if told.get("save") and told.get("stop-writes-on-bgsave-error") == "yes" and told.get("appendonly") == "yes":
        yield warn(
            "settings",
            "Snapshots are on beside the append-only file, and one that fails stops all writes.",
            _set("save ''"),
        )
    if (seconds := told.get("timeout", "0")) != "0":
        yield warn("settings", f"timeout is {seconds}: idle connections are cut every so often.", _set("timeout 0"))
    if not 0 < int(told.get("tcp-keepalive", "60")) <= 60:
        yield warn(
            "settings",
            f"tcp-keepalive is {told['tcp-keepalive']}: peers that vanished are noticed late.",
            _set("tcp-keepalive 60"),
        )
    if events := told.get("notify-keyspace-events"):
        yield warn(
            "settings",
            f"notify-keyspace-events is {events}: each write costs more, and the pool uses none.",
            _set("notify-keyspace-events ''"),
        )
    if 0 < (limit := pubsub_limit(told.get("client-output-buffer-limit", ""))) < PUBSUB_BYTES:
        yield warn(
            "settings",
            f"client-output-buffer-limit of pubsub is {limit >> 20} MB: a gateway that is busy is cut off.",
            _set("client-output-buffer-limit 'pubsub 64mb 64mb 0'"),
        )


def _set(setting: str) -> str:
    return f"CONFIG SET {setting}, then CONFIG REWRITE."


def pubsub_limit(text: str) -> int:
    """Read the least of pub/sub's limits in bytes; 0 for none."""
    words = text.split()
    if "pubsub" not in words:
        return 0
    at = words.index("pubsub")
    return min((size for size in map(_bytes, words[at + 1 : at + 3]) if size), default=0)


def _bytes(word: str) -> int:
    digits = word.rstrip("kmgbKMGB")
    return int(digits) * _UNITS.get(word[len(digits) :].lower(), 1) if digits.isdecimal() else 0


def _persistence(server: Server) -> Finding:
    if server.failed_writes:
        what = " and ".join(server.failed_writes)
        return bad(
            "persistence", f"The last {what} failed: Redis may refuse jobs, or lose them.", "Look at its log and disk."
        )
    if not server.aof_enabled:
        return warn("persistence", "There is no append-only file.", _set("appendonly yes"))
    return ok("persistence", "The append-only file is written.")


def _memory(server: Server) -> Finding:
    used = f"{server.used_bytes / 2**20:.0f} MB"
    if server.evicted_keys:
        return bad(
            "memory",
            f"Redis has thrown {server.evicted_keys} keys away: jobs were lost.",
            _set("maxmemory-policy noeviction"),
        )
    limit = server.maxmemory_bytes or server.machine_bytes
    if not limit:
        return ok("memory", f"Redis uses {used}.")
    share, of = server.used_bytes / limit, f"{limit / 2**20:.0f} MB"
    told = f"Redis uses {used} of {of}{'' if server.maxmemory_bytes else ', all that its machine has'}."
    if share >= _TOO_FULL:
        return bad(
            "memory",
            f"{told} New jobs are refused when it is full.",
            "Raise maxmemory, or lower the limits: `mlx-pool limits`.",
        )
    if share >= _FULL:
        return warn("memory", told, "Raise maxmemory, or lower what may wait: `mlx-pool limits`.")
    return ok("memory", told)


def _user(server: Server) -> Finding:
    if server.user is None:
        return ok("rights", "Redis does not say as whom we came.")
    if server.user == "default":
        advice = "On a network give gateways, workers and producers users of their own: `mlx-pool acl`."
        return Finding("ok", "rights", "This command came as the user `default`, who may do everything.", advice)
    return ok("rights", f"This command came as the user `{clean(server.user)}`.")


def _clock(server: Server) -> Finding:
    if not server.offsets_ms:
        return ok("clocks", "Redis's clock was not looked at.")
    apart, moved = statistics.median(server.offsets_ms), max(server.offsets_ms) - min(server.offsets_ms)
    slack = 2 * max(server.pings_ms, default=0.0)  # a look's own time can't be told from a step
    if moved > _STEP_MS + slack:
        return warn(
            "clocks",
            f"While looked at, this machine's clock and Redis's moved by {moved:.0f} ms: one of them is being set.",
            "Leases bear that; let one time service set each clock, slowly.",
        )
    if abs(apart) > _CLOCKS_APART_MS:
        return warn(
            "clocks",
            f"Redis's clock is {abs(apart) / 1_000:.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's.",
            "Jobs bear that; logs and traces of the two can't be compared. Turn time synchronisation on.",
        )
    return ok("clocks", f"This machine's clock and Redis's differ by {abs(apart):.0f} ms.")
