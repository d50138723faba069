"""A ring of keys: whom each of them stands for. Of a key only its SHA-256 is kept."""

import hmac
from collections import defaultdict
from collections.abc import Iterable
from typing import Self

from gateway.caller import Caller
from shared.key_file import KeyEntry, digest_of

_INDEX_BYTES = 8


class Ring:
    """Tells callers by their keys."""

    def __init__(self, callers: Iterable[tuple[bytes, Caller]]) -> None:
        self._by_index: defaultdict[bytes, list[tuple[bytes, Caller]]] = defaultdict(list)
        self._by_id: dict[str, Caller] = {}
        for digest, caller in callers:
            self._by_index[digest[:_INDEX_BYTES]].append((digest, caller))
            self._by_id[caller.key] = caller

    @classmethod
    def of_one(cls, key: str) -> Self:
        """The ring of the one key that all share, for whom there are no limits."""
        return cls([(digest_of(key.encode()), Caller())])

    @classmethod
    def of(cls, entries: Iterable[KeyEntry]) -> Self:
        """The ring of a file's keys."""
        return cls((bytes.fromhex(entry.sha256), _caller(entry)) for entry in entries)

    def caller(self, key: bytes) -> Caller | None:
        """Whom a key stands for; None: nobody."""
        # How soon a guess turns out to be none tells of its digest only, which nobody can steer; the rest is compared
        # in constant time.
        digest = digest_of(key)
        for known, caller in self._by_index.get(digest[:_INDEX_BYTES], ()):
            if hmac.compare_digest(known, digest):
                return caller
        return None

    def named(self, key_id: str) -> Caller | None:
        """Whom the key with this id stands for; None: there is none."""
        return self._by_id.get(key_id)


def _caller(entry: KeyEntry) -> Caller:
    return Caller(
        tenant=entry.tenant,
        key=entry.id,
        limits=entry.limits,
        models=None if entry.models is None else frozenset(entry.models),
        may_hi=entry.may_hi,
        may_operate=entry.may_operate,
    )
