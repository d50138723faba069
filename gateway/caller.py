"""Who asks: whose jobs a request may see, and what it may do. The door finds out; the routes obey."""

import msgspec
from starlette.types import Scope

from shared.key_file import KeyLimits

_PLACE = "mlx_pool.caller"
Header = tuple[bytes, bytes]


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever a request's key stands for; without a key, and with the one shared key, somebody who may do anything."""

    tenant: str = ""  # its jobs, and the prompt cache's states, are its own; one shared key is one tenant
    key: str = ""  # the key's id: a name for logs, and for what is counted
    limits: KeyLimits = KeyLimits()
    models: frozenset[str] | None = None  # None: all
    may_hi: bool = True
    may_operate: bool = True  # see any job's life, and decide on dead letters
    is_bulk: bool = False  # its requests are the lines of a batch: nobody sits in front of them
    # Headers that this request's answer is to have, whatever it is. Not frozen: they are found out on the way.
    answer_headers: list[Header] = []

    def may_use(self, model: str) -> bool:
        """Whether the key is for this model."""
        return self.models is None or model in self.models


def introduce(scope: Scope, caller: Caller) -> None:
    """Note who asks, for the routes behind; the headers are this request's own."""
    scope[_PLACE] = msgspec.structs.replace(caller, answer_headers=[])


def caller_of(scope: Scope) -> Caller:
    """Who asks, as the door found out."""
    caller = scope[_PLACE]
    assert isinstance(caller, Caller)
    return caller
