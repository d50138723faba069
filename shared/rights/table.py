"""The table: what each script says to Redis, and what each role runs and says itself.

A right is a kind of key (`kinds`), "" for none, with the commands on it, in words.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Role = Literal["gateway", "worker", "producer", "monitor"]
Rights = Mapping[str, frozenset[str]]  # commands by kind of key

ROLES: tuple[Role, ...] = get_args(Role)


def _rights(*parts: Rights, **more: str) -> Rights:
    """All of these together. A `_` in a name stands for `:`; `none` is no key."""
    said: dict[str, frozenset[str]] = {}
    named = {("" if kind == "none" else kind.replace("_", ":")): words.split() for kind, words in more.items()}
    for part in (*parts, named):
        for kind, commands in part.items():
            said[kind] = said.get(kind, frozenset()) | frozenset(commands)
    return said


# The words that scripts share, as `prelude.lua` and `entries.lua` have them.
_LOG = _rights(job="hmget hset pexpiretime", log="xadd pexpireat", chan="publish")
_END = _rights(
    _LOG,
    none="time",
    job="hdel pexpireat",
    jobs="xack xdel",
    win="hdel",
    deadlines="zrem",
    reply="xadd pexpire",
    tenants="hincrby hdel",
    limits="hget",
)
_GIVE_BACK = _rights(_END, job="hget", jobs="xrange xadd", dead="xadd")
_ENROLL = _rights(
    job="hset pexpireat",
    deadlines="zadd",
    seen="zremrangebyscore zadd pexpire",
    tenants="hincrby hdel",
    limits="hget",
)
_FIT = _rights(
    _END,
    _ENROLL,
    none="pubsub|numsub",
    jobs="xlen xrange xreadgroup xinfo|groups xgroup|create",
    dead="xadd",
    workers="zscore zrangebyscore",
    worker="hget",
    home="get",
)
_COUNT = _rights(jobs="xlen xinfo|groups", win="hlen")
_OLDEST = _rights(win="hkeys", bodies="xrange")

SCRIPTS: Mapping[str, Rights] = {
    "submit": _rights(
        _ENROLL,
        _COUNT,
        _OLDEST,
        none="time",
        job="hmget hdel del",
        log="del",
        intake="xadd",
        jobs="xinfo|stream",
        seen="zrangebyscore",
        tenants="hget",
    ),
    "look": _rights(
        _FIT,
        jobs="xinfo|stream",
        win="hgetall hlen hset",
        worker="hmget",
        seen="zrangebyscore zcard",
        tenants="hget",
    ),
    "take": _rights(
        _FIT, jobs="xclaim", win="hget", worker="hmget", home="set", seen="zrangebyscore zcard", tenants="hget"
    ),
    "append": _rights(_LOG, none="time", limits="hget", workers="zscore zadd"),
    "finish": _GIVE_BACK,
    "fail": _rights(_GIVE_BACK, workers="zrangebyscore"),
    "release": _GIVE_BACK,
    "cancel": _rights(_END, _ENROLL, none="pubsub|numsub", jobs="xrange", ctl="publish"),
    "beat": _rights(
        _COUNT,
        none="time",
        jobs="xgroup|create",
        workers="zscore zadd zrangebyscore",
        worker="hget hset hsetnx hdel pexpire",
        model="hget hset",
        tick="hsetnx",
    ),
    "mine": _rights(_GIVE_BACK, jobs="exists xpending"),
    "peek": _rights(job="hmget"),
    "ahead": _rights(_COUNT, job="hmget", jobs="xinfo|stream"),
    "survey": _rights(_COUNT, _OLDEST, none="time", workers="zrange zscore", worker="hgetall", dead="xlen"),
    "reap": _rights(
        _GIVE_BACK,
        _ENROLL,
        _COUNT,
        none="info pubsub|numsub",
        jobs="exists xpending xrevrange xinfo|consumers xgroup|delconsumer",
        win="hkeys hexists hset",
        job="pexpire",
        ctl="publish",
        workers="zadd zrem zscore zrangebyscore",
        worker="hmget hset del",
        deadlines="zcard zscan zrangebyscore",
        cancels="xrange xdel",
        dead="xlen xtrim memory|usage",
        tenants="del",
        tick="hgetall hset",
    ),
    "charge": _rights(
        none="time",
        key_rate="hgetall hset pexpire",
        key_held="zadd zrem zscore zcard zrange zremrangebyscore pexpire",
    ),
    "keep": _rights(job="exists hsetnx"),
    "forget": _rights(_END, job="del", log="del"),
    "file_append": _rights(none="time", bulk_input="hset pexpire", bulk_data="rpush pexpire"),
    "bulk_open": _rights(none="time", bulk_batch="hset pexpire"),
    "bulk_claim": _rights(none="time", bulk_batch="hgetall hincrby hset"),
    "bulk_commit": _rights(none="time", bulk_batch="hgetall hincrby hset pexpiretime", bulk_data="rpush pexpireat"),
    "bulk_cancel": _rights(none="time", bulk_batch="exists hexists hset hsetnx"),
}
READERS = frozenset(("peek", "ahead", "survey"))  # they write nothing, and are run by EVALSHA_RO
_BULK = ("file_append", "bulk_open", "bulk_claim", "bulk_commit", "bulk_cancel")

# What a connection says of itself.
_CONNECTION = _rights(none="ping select role client|setname client|setinfo acl|whoami")


def _running(scripts: Iterable[str]) -> Rights:
    """To run these, and all that they say."""
    names = frozenset(scripts)
    rights = _rights(*(SCRIPTS[name] for name in names))
    if names & READERS:
        rights = _rights(rights, queue="evalsha_ro eval_ro")
    if names - READERS - {"charge", *_BULK}:
        rights = _rights(rights, queue="evalsha eval")
    if "charge" in names:
        rights = _rights(rights, key="evalsha eval")
    return _rights(rights, bulk="evalsha eval") if names & {*_BULK} else rights


def _without_bodies(rights: Rights) -> Rights:
    """As it is for those who need not see what others ask: the scripts then can't tell how old the oldest job is."""
    return {kind: commands for kind, commands in rights.items() if kind != "bodies"}


_GATEWAY = _rights(
    _CONNECTION,
    _running(("submit", "cancel", "peek", "ahead", "survey", "reap", "charge", "keep", "forget", *_BULK)),
    none="info",
    models="smembers",
    job="hmget hgetall",
    log="xread xrange",
    limits="hgetall",
    # The page, and `mlx-pool queue`, `job`, `dead` and `drain`; `trace` waits for what is logged.
    deadlines="zrange",
    worker="pexpire",
    dead="xrange xrevrange xdel",
    chan="subscribe unsubscribe",
    bulk_input="hgetall pexpire unlink",
    bulk_data="lindex llen exists pexpire unlink",
    bulk_batch="hgetall",
    bulk_open="hset hdel hgetall pexpire",
    bulk_of="zadd zrem zrevrange zremrangebyscore pexpire",
)
_WORKER = _rights(
    _CONNECTION,
    # `survey` where a model is loaded on demand: by whom, is decided on who else is there.
    _running(("look", "take", "append", "finish", "fail", "release", "beat", "mine", "reap", "survey")),
    none="info script|load",
    models="sadd",
    jobs="xread",
    log="xrange",
    limits="hsetnx",
    # To give models to other machines, and to take them from those.
    model="hget",
    peers="hset hgetall hdel pexpire",
    ctl="subscribe unsubscribe",
)
_PRODUCER = _rights(
    _CONNECTION,
    _COUNT,
    models="smembers",
    public="xadd",
    cancels="xadd",
    log="xread xrange",
    reply="xread xrange",
    limits="hgetall",
    chan="subscribe unsubscribe",
)
_MONITOR = _rights(
    _CONNECTION,
    _without_bodies(_running(("survey",))),
    none="info dbsize latency|latest slowlog|len",
    models="smembers",
    limits="hgetall",
)
_TABLE: Mapping[Role, Rights] = {
    "gateway": _GATEWAY,
    "worker": _WORKER,
    "producer": _PRODUCER,
    "monitor": _MONITOR,
}


def rights_of(role: Role, *, submits: bool = False) -> Rights:
    """All that a role may do. A producer that `submits` may run that script as well as add jobs by hand.

    It can then write all jobs' records, and see the first and the last body of a class: the script counts by them.
    """
    rights = _TABLE[role]
    return _rights(rights, _without_bodies(_running(("submit", "peek"))), none="script|load") if submits else rights
