"""Calls of Redis as a person would type them, on a key of each kind: spelled out by hand, for rights to be tried on."""

from collections.abc import Mapping, Sequence

# Behind the command's name; KEY stands for the key or channel.
_BEHIND_THE_KEY: Mapping[str, str] = {
    "hexists": "f",
    "hget": "f",
    "hmget": "f",
    "hincrby": "f 1",
    "hdel": "f",
    "hset": "f v",
    "hsetnx": "f v",
    "lindex": "0",
    "pexpire": "1",
    "pexpireat": "1",
    "publish": "hello",
    "rpush": "v",
    "sadd": "m",
    "set": "v",
    "xack": "workers 1-1",
    "xadd": "* f v",
    "xclaim": "workers me 0 1-1",
    "xdel": "1-1",
    "xgroup|create": "workers 0",
    "xgroup|delconsumer": "workers me",
    "xinfo|consumers": "workers",
    "xpending": "workers",
    "xrange": "- +",
    "xrevrange": "+ -",
    "xtrim": "MAXLEN 1",
    "zadd": "1 m",
    "zrange": "0 -1",
    "zrangebyscore": "0 1",
    "zrem": "m",
    "zremrangebyscore": "0 1",
    "zrevrange": "0 -1",
    "zscan": "0",
    "zscore": "m",
}
_BEFORE_THE_KEY: Mapping[str, str] = {
    **dict.fromkeys(("eval", "eval_ro"), "return 1"),
    **dict.fromkeys(("evalsha", "evalsha_ro"), "0123456789012345678901234567890123456789"),
    "xread": "STREAMS",
    "xreadgroup": "GROUP workers me STREAMS",
}
_LONE = (
    *(
        "del",
        "exists",
        "get",
        "hgetall",
        "hkeys",
        "hlen",
        "llen",
        "memory|usage",
        "pexpiretime",
        "smembers",
        "subscribe",
    ),
    *("unlink", "xinfo|groups", "xinfo|stream", "xlen", "zcard"),
)
COMMANDS = (*_LONE, *_BEHIND_THE_KEY, *_BEFORE_THE_KEY)

# What nobody needs, with a key of each kind or without one.
STRANGERS = (
    *("getdel KEY", "rename KEY other", "copy KEY other", "dump KEY", "restore KEY 0 x", "object encoding KEY"),
    *("hscan KEY 0", "lrange KEY 0 -1", "xautoclaim KEY workers me 0 0", "xsetid KEY 1-1", "sort KEY", "persist KEY"),
    *("keys *", "scan 0", "flushall", "flushdb", "config get *", "config set maxmemory 1", "monitor", "shutdown"),
    *("debug sleep 1", "slowlog get", "acl list", "acl setuser x", "pubsub channels", "client list", "client kill x"),
    *("psubscribe KEY", "script flush", "function load x", "replicaof no one", "save", "swapdb 0 1", "multi"),
)

_T = "pool:{m}"
_B = "pool:bulk:{0123}"
KEYS: Mapping[str, Sequence[str]] = {
    "queue": (_T,),
    "jobs": tuple(f"{_T}:jobs:{name}" for name in ("re", "hi", "std", "lo", "sus")),
    "bodies": tuple(f"{_T}:jobs:{name}" for name in ("re", "hi", "std", "lo", "sus")),
    "intake": tuple(f"{_T}:jobs:{name}" for name in ("hi", "std", "lo")),
    "public": (f"{_T}:jobs:std", f"{_T}:jobs:lo"),
    "win": (f"{_T}:win:std",),
    "workers": (f"{_T}:workers",),
    "worker": (f"{_T}:worker:mac.1.ab",),
    "job": (f"{_T}:job:id",),
    "log": (f"{_T}:log:id",),
    "reply": (f"{_T}:reply:mine",),
    "deadlines": (f"{_T}:deadlines",),
    "cancels": (f"{_T}:cancels",),
    "dead": (f"{_T}:dead",),
    "model": (f"{_T}:model",),
    "limits": (f"{_T}:limits",),
    "tick": (f"{_T}:tick",),
    "tenants": (f"{_T}:tenants",),
    "seen": (f"{_T}:seen",),
    "home": (f"{_T}:home:0123456789abcdef",),
    "chan": (f"{_T}:chan:id",),
    "ctl": (f"{_T}:ctl:mac.1.ab",),
    "models": ("pool:models",),
    "peers": ("pool:peers",),
    "key": ("pool:key:{phone}",),
    "key:rate": ("pool:key:{phone}:rate",),
    "key:held": ("pool:key:{phone}:held",),
    "bulk": (_B,),
    "bulk:input": (f"{_B}:input",),
    "bulk:data": (f"{_B}:input:data", f"{_B}:output:data"),
    "bulk:batch": (f"{_B}:batch",),
    "bulk:open": ("pool:bulk:open",),
    "bulk:of": ("pool:bulk:of:0123:files",),
    "nobody's": ("other", "pool:", f"{_T}:", "pool:other", f"x{_T}:log:id"),
}


def call(command: str, key: str) -> list[str]:
    """A call of this command on this key."""
    words = command.split("|")
    if command in _BEFORE_THE_KEY:
        before = [_BEFORE_THE_KEY[command]] if "eval" in command else _BEFORE_THE_KEY[command].split()
        behind = ["0"] if command == "xread" else [">"] if command == "xreadgroup" else []
        return [*words, *before, *(["1"] if "eval" in command else []), key, *behind]
    return [*words, key, *_BEHIND_THE_KEY.get(command, "").split()]
