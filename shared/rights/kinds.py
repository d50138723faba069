"""The kinds of keys and channels, each as the patterns by which a server knows them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from shared.keys import BULK, MODELS, PEERS, Keys, bulk_prefix, key_prefix

# What stands behind a queue's prefix. Two names may mean the same streams: a table can then tell apart why.
_OF_A_QUEUE: Mapping[str, Sequence[str]] = {
    "queue": ("",),  # the prefix itself, which every script takes as its one key
    "jobs": (":jobs:*",),
    "bodies": (":jobs:*",),  # read as far as the role may: what was asked stands there
    "intake": (":jobs:hi", ":jobs:std", ":jobs:lo"),
    "public": (":jobs:std", ":jobs:lo"),
    "win": (":win:*",),
    "workers": (":workers",),
    "worker": (":worker:*",),
    "job": (":job:*",),
    "log": (":log:*",),
    "reply": (":reply:*",),
    "deadlines": (":deadlines",),
    "cancels": (":cancels",),
    "dead": (":dead",),
    "model": (":model",),
    "limits": (":limits",),
    "tick": (":tick",),
    "tenants": (":tenants",),
    "seen": (":seen",),
    "home": (":home:*",),
}
_CHANNELS: Mapping[str, str] = {"chan": ":chan:*", "ctl": ":ctl:*"}
_OTHERS: Mapping[str, str] = {
    "models": MODELS,
    "peers": PEERS,
    "key": key_prefix("*"),
    "key:rate": f"{key_prefix('*')}:rate",
    "key:held": f"{key_prefix('*')}:held",
    "bulk": bulk_prefix("*"),
    "bulk:input": f"{bulk_prefix('*')}:input",
    "bulk:data": f"{bulk_prefix('*')}:*:data",
    "bulk:batch": f"{bulk_prefix('*')}:batch",
    "bulk:open": BULK,
    "bulk:of": "pool:bulk:of:*",
}


def is_channel(kind: str) -> bool:
    """Whether it is listened to and published on, rather than kept."""
    return kind in _CHANNELS


def patterns_of(kind: str, models: Sequence[str]) -> Iterator[str]:
    """The patterns of a kind, for the queues of these models; of none: for all queues."""
    if kind in _OTHERS:
        yield _OTHERS[kind]
        return
    for model in map(_literally, models) if models else ("*",):
        for suffix in (_CHANNELS[kind],) if is_channel(kind) else _OF_A_QUEUE[kind]:
            yield f"{Keys(model).prefix}{suffix}"


def _literally(model: str) -> str:
    return re.sub(r"([*?\[\]\\])", r"\\\1", model)
