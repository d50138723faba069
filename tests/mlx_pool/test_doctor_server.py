"""What the doctor says of a Redis, by facts that were made up."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mlx_pool.doctor.finding import Finding
from mlx_pool.doctor.server import Server, judge_server, pubsub_limit

GOOD = {
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "stop-writes-on-bgsave-error": "yes",
    "timeout": "0",
    "tcp-keepalive": "60",
    "notify-keyspace-events": "",
    "client-output-buffer-limit": "normal 0 0 0 slave 268435456 67108864 60 pubsub 67108864 67108864 0",
}
SERVER = Server(
    address="127.0.0.1:6379",
    kind="Valkey",
    version="9.1.2",
    settings=GOOD,
    pings_ms=(0.2, 0.3, 0.4),
    offsets_ms=(0.1, 0.2, 0.1),
    used_bytes=10 << 20,
    machine_bytes=16 << 30,
    user="gateway",
)


def found(about: str, level: str, **changed: Any) -> str:
    """The one sentence of this level about this, with some facts changed; nothing else is wrong then."""
    findings = list(judge_server(structs.replace(SERVER, **changed)))
    (finding,) = [each for each in findings if each.level != "ok"]
    assert (finding.about, finding.level) == (about, level)
    assert finding.advice
    return finding.told


def levels(findings: Iterable[Finding]) -> set[str]:
    return {finding.level for finding in findings}


def test_a_server_as_it_should_be_gives_no_cause_for_concern() -> None:
    """What is in order is said, too: so one sees what was looked at."""
    findings = list(judge_server(SERVER))

    assert levels(findings) == {"ok"}
    assert {finding.about for finding in findings} == {
        "redis", "latency", "settings", "persistence", "memory", "rights", "clocks"
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "version"), [("Redis", "6.2.14"), ("Valkey", "7.1.0"), ("Redis", "2.8.19")])
def test_too_old_a_server_is_bad(kind: str, version: str) -> None:
    """The scripts need what came with Redis 7.0."""
    assert f"{kind} {version}" in found("redis", "bad", kind=kind, version=version)


def test_a_replica_is_bad() -> None:
    """Every job is a write."""
    assert "replica" in found("redis", "bad", role="slave")


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("maxmemory-policy", "allkeys-lru", "bad"),
        ("appendonly", "no", "warn"),
        ("appendfsync", "no", "warn"),
        ("save", "3600 1", "warn"),
        ("timeout", "30", "warn"),
        ("tcp-keepalive", "300", "warn"),
        ("tcp-keepalive", "0", "warn"),
        ("notify-keyspace-events", "KEA", "warn"),
        ("client-output-buffer-limit", "normal 0 0 0 pubsub 33554432 8388608 60", "warn"),
    ],
)
def test_a_setting_that_harms_a_pool_is_told_with_its_remedy(name: str, value: str, level: str) -> None:
    """Who reads it can type what sets it right."""
    assert found("settings", level, settings=GOOD | {name: value})


def test_settings_that_are_denied_are_not_taken_for_good() -> None:
    """A managed Redis denies CONFIG."""
    assert "not checked" in found("settings", "warn", settings=None)
    denied = judge_server(structs.replace(SERVER, settings=None, policy="allkeys-lru"))
    assert levels(denied) == {"ok", "warn", "bad"}  # that it evicts is told by INFO, too


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("pubsub 64mb 32mb 60", 32 << 20),
        ("normal 0 0 0 pubsub 0 0 0", 0),
        ("pubsub 33554432 0 0", 33554432),
        ("", 0),
        ("pubsub", 0),
    ],
)
def test_the_least_limit_of_pubsub_counts(text: str, limit: int) -> None:
    """A soft limit cuts a gateway off, too."""
    assert pubsub_limit(text) == limit


@given(st.text(max_size=40))
def test_no_text_for_a_limit_is_too_strange(text: str) -> None:
    """Whatever a server answers, the doctor goes on."""
    assert pubsub_limit(f"pubsub {text}") >= 0


def test_slowness_is_told_by_how_it_harms() -> None:
    """Some milliseconds delay tokens; a second takes workers' leases."""
    found("latency", "warn", pings_ms=(8.0, 9.0, 10.0))
    found("latency", "bad", pings_ms=(0.2, 0.2, 1_500.0))
    assert "taken for dead" in found("latency", "bad", pings_ms=(300.0, 300.0))


def test_memory_is_measured_by_its_limit_else_by_its_machine() -> None:
    """A Redis without maxmemory is ended by its system when all is full."""
    found("memory", "warn", maxmemory_bytes=12 << 20)
    found("memory", "bad", maxmemory_bytes=10 << 20)
    found("memory", "warn", used_bytes=14 << 30)
    found("memory", "bad", evicted_keys=3)


def test_a_failed_write_to_disk_is_bad() -> None:
    """Redis may refuse jobs then, or lose them."""
    assert "snapshot" in found("persistence", "bad", failed_writes=("snapshot",))
    found("persistence", "warn", aof_enabled=False)


def test_clocks_that_part_or_jump_are_told() -> None:
    """The pool bears both, so they are no faults; who compares logs should know."""
    assert "5.0 s ahead" in found("clocks", "warn", offsets_ms=(5_000.0, 5_001.0))
    assert "behind" in found("clocks", "warn", offsets_ms=(-5_000.0,))
    assert "being set" in found("clocks", "warn", offsets_ms=(0.0, 0.0, 700.0))


def test_a_slow_look_is_no_step_of_a_clock() -> None:
    """What the network took can't be told from what a clock did."""
    assert levels(judge_server(structs.replace(SERVER, pings_ms=(1.0, 4.0), offsets_ms=(0.0, 105.0)))) == {"ok"}
