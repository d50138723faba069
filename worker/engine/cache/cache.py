"""States of a model under the ids that they have read, within so many bytes; what was of use longest ago goes first.

A state that can be trimmed serves whatever shares a beginning with its ids, and makes those stored under its own
beginnings superfluous. Another serves only what begins with all of its ids. A stored state is never changed: whoever
goes on from it does so on a copy. Tenants see nothing of each other, not even by timing.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar

from .labels import Labels
from .prefixes import Key, Prefixes, key_of, length

# Ids below which keeping a state costs more than reading them anew.
LEAST_TOKENS = 16


class State(Protocol):
    """What a model's layers hold of one row."""

    @property
    def kv_bytes(self) -> int:
        """Memory held, in bytes."""
        ...

    @property
    def can_trim(self) -> bool:
        """Whether the last ids can be taken out of it, as many as one likes."""
        ...


S = TypeVar("S", bound=State)


@dataclass(frozen=True, slots=True)
class Hit(Generic[S]):
    """A stored state, and how many of the ids asked for it serves: trim what it has read beyond them."""

    state: S
    tokens: int
    surplus: int  # how many ids it has read beyond


@dataclass(slots=True)
class _Shelf:
    """One tenant's keys."""

    trimmable: Prefixes = field(default_factory=Prefixes)
    whole: Prefixes = field(default_factory=Prefixes)


class PromptCache(Generic[S]):
    """The states, and what they were good for."""

    def __init__(self, cap_bytes: int) -> None:
        """Hold up to `cap_bytes`; with 0 nothing is ever kept."""
        self._cap_bytes = cap_bytes
        self._most_bytes = cap_bytes
        self._states: OrderedDict[tuple[str, Key], S] = OrderedDict()  # first what was of use longest ago
        self._shelves: dict[str, _Shelf] = {}
        self.labels = Labels()
        self.held_bytes = 0
        self.asked_tokens = 0
        self.hits = 0
        self.saved_tokens = 0

    def __len__(self) -> int:
        """How many states are held."""
        return len(self._states)

    @property
    def is_on(self) -> bool:
        """Whether it may hold anything at all."""
        return self._cap_bytes > 0

    @property
    def has_room(self) -> bool:
        """Whether it may hold anything now."""
        return self._most_bytes > 0

    def known(self, tenant: str, ids: Sequence[int]) -> int:
        """How many ids, from the first, a stored state would serve. Changes nothing."""
        found = self._nearest(tenant, key_of(ids)) if self._states else None
        return found[1] if found else 0

    def find(self, tenant: str, ids: Sequence[int]) -> Hit[S] | None:
        """Find the state that serves the most of these ids, and count it as of use; None where it is too few."""
        self.asked_tokens += len(ids)
        found = self._nearest(tenant, key_of(ids)) if self._states else None
        if found is None or found[1] < LEAST_TOKENS:
            return None
        key, tokens = found
        self._states.move_to_end((tenant, key))
        self.hits += 1
        self.saved_tokens += tokens
        return Hit(self._states[tenant, key], tokens, length(key) - tokens)

    def store(self, tenant: str, ids: Sequence[int], state: S, labels: Iterable[str] = ()) -> None:
        """Keep the state that has read exactly these ids, if it is not larger than all that may be held.

        It serves these labels; if it can be trimmed, also those of the states that it makes superfluous.
        """
        if state.kv_bytes > self._most_bytes:
            return
        key = key_of(ids)
        replaced = [self._drop(tenant, old) for old in list(self._superfluous(tenant, key, state))]
        shelf = self._shelves.setdefault(tenant, _Shelf())
        (shelf.trimmable if state.can_trim else shelf.whole).add(key)
        self._states[tenant, key] = state
        self.labels.put((tenant, key), [*labels, *chain.from_iterable(replaced if state.can_trim else ())])
        self.held_bytes += state.kv_bytes
        self._evict()

    def label(self, tenant: str, ids: Sequence[int], labels: Collection[str]) -> None:
        """Note that what serves most of these ids serves what bears these labels, too."""
        found = self._nearest(tenant, key_of(ids)) if labels else None
        if found is not None:
            self.labels.put((tenant, found[0]), labels)

    def bound(self, most_bytes: int) -> None:
        """Hold at most so many bytes from now on, and never more than the cap: rows need the memory first."""
        self._most_bytes = min(self._cap_bytes, max(0, most_bytes))
        self._evict()

    def _nearest(self, tenant: str, key: Key) -> tuple[Key, int] | None:
        """The stored key that serves most, and how many ids it serves."""
        shelf = self._shelves.get(tenant)
        if shelf is None:
            return None
        whole = next(((found, length(found)) for found in shelf.whole.within(key)), None)
        found = [option for option in (whole, shelf.trimmable.nearest(key)) if option is not None]
        return max(found, key=lambda option: option[1], default=None)

    def _superfluous(self, tenant: str, key: Key, state: S) -> Iterator[Key]:
        """What a state makes superfluous: one under the same key, and one that can be trimmed all on its way."""
        for shelf in [self._shelves[tenant]] if tenant in self._shelves else []:
            for keys in (shelf.trimmable, shelf.whole):
                yield from (old for old in keys.within(key) if old == key or state.can_trim)

    def _evict(self) -> None:
        while self.held_bytes > self._most_bytes:
            self._drop(*next(iter(self._states)))

    def _drop(self, tenant: str, key: Key) -> Sequence[str]:
        """Let go of a state, and tell its labels."""
        state = self._states.pop((tenant, key))
        self.held_bytes -= state.kv_bytes
        shelf = self._shelves[tenant]
        (shelf.trimmable if state.can_trim else shelf.whole).remove(key)
        if not shelf.trimmable and not shelf.whole:
            del self._shelves[tenant]
        return self.labels.drop((tenant, key))
