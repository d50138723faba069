"""Rights as the words of `ACL SETUSER`: which commands, on which keys, and nothing else.

Each set of keys is a selector of its own, with the commands that are for them: what is said neither there nor of the
connection is denied. Every command stands in one selector, so checking a call costs little.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .kinds import is_channel, patterns_of
from .table import Rights

Version = tuple[int, int]  # of Redis or of Valkey, which counts on from Redis 7.2

# As servers see it: what gives nothing of a key away, and what does both. All others only write.
_READS = frozenset(
    [
        *("exists", "get", "hexists", "hget", "hgetall", "hkeys", "hlen", "hmget", "lindex", "llen", "memory|usage"),
        *("pexpiretime", "smembers", "xinfo|consumers", "xinfo|groups", "xinfo|stream", "xlen", "xpending", "xrange"),
        *("xread", "xreadgroup", "xrevrange", "zcard", "zrange", "zrangebyscore", "zrevrange", "zscan", "zscore"),
        *("eval_ro", "evalsha_ro"),
    ]
)
_BOTH = frozenset(("eval", "evalsha", "hincrby"))
_SINCE: Mapping[str, Version] = {"client|setinfo": (7, 2)}
# The same streams under several names: the widest says it all.
_WITHIN: Mapping[str, frozenset[str]] = {
    "public": frozenset(("intake", "jobs")),
    "intake": frozenset(("jobs",)),
    "bodies": frozenset(("jobs",)),
}


def rules_of(rights: Rights, version: Version, models: Sequence[str] = ()) -> list[str]:
    """The words behind `ACL SETUSER <name> reset on <password>`, for a server of this version.

    With `models`, what is a queue's is for the queues of these only.
    """
    by_keys: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for command, kinds in sorted(_kinds_by_command(rights).items()):
        by_keys[tuple(_patterns(command, kinds, models))].append(command)
    connection = [f"+{command}" for command in sorted(rights.get("", ())) if version >= _SINCE.get(command, (0, 0))]
    selectors = [
        f"({' '.join([*keys, *(f'+{command}' for command in commands)])})" for keys, commands in by_keys.items()
    ]
    return [*connection, *selectors]


def _kinds_by_command(rights: Rights) -> Mapping[str, set[str]]:
    kinds: defaultdict[str, set[str]] = defaultdict(set)
    for kind, commands in rights.items():
        for command in commands if kind else ():
            kinds[command].add(kind)
    return kinds


def _patterns(command: str, kinds: Iterable[str], models: Sequence[str]) -> Iterator[str]:
    told = sorted(kind for kind in kinds if _WITHIN.get(kind, frozenset()).isdisjoint(kinds))
    if any(map(is_channel, told)):
        yield "resetchannels"  # a server may be set to open all of them at first
    for kind in told:
        mark = "&" if is_channel(kind) else "~" if command in _BOTH else "%R~" if command in _READS else "%W~"
        yield from (f"{mark}{pattern}" for pattern in patterns_of(kind, models))
