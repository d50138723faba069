"""Models that machines of a pool give to each other, as values: who has which, and which of them are to be believed.

What stands here came through the pool's Redis, whose password a peer has to know. What a peer sends over HTTP is held
against it.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a peer gives away: the SHA-256 of its manifest, its size, and what queues know its weights by."""

    digest: str
    bytes: int
    fingerprint: str


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that gives models to others: where, to whoever shows this token, and which, by the queues' names."""

    id: str
    urls: tuple[str, ...]
    token: str
    models: dict[str, Stock]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where one copy is to be had; the urls lead to the same machine."""

    id: str
    urls: tuple[str, ...]
    token: str


class Supply(msgspec.Struct, frozen=True, kw_only=True):
    """One model, the very same from each source. `fingerprint` is what its weights must have."""

    queue: str
    digest: str
    bytes: int
    fingerprint: str
    sources: tuple[Source, ...]


def supply_of(queue: str, peers: Iterable[Peer], known: str) -> Supply | None:
    """Choose whose copy to take: of those with the `known` fingerprint, "" if the queue knows none, what most have."""
    having: defaultdict[str, list[Peer]] = defaultdict(list)
    for peer in peers:
        stock = peer.models.get(queue)
        if stock and known in {"", stock.fingerprint}:
            having[stock.digest].append(peer)
    if not having:
        return None
    digest = min(having, key=lambda each: (-len(having[each]), each))
    stock = having[digest][0].models[queue]
    return Supply(
        queue=queue,
        digest=digest,
        bytes=stock.bytes,
        fingerprint=known or stock.fingerprint,
        sources=tuple(Source(id=peer.id, urls=peer.urls, token=peer.token) for peer in having[digest]),
    )
