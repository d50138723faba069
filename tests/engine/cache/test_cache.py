"""What the prompt cache keeps, for whom, and what it lets go of first. Its states are made up: no model is needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.engine.cache.cache import LEAST_TOKENS, Hit, PromptCache

SYSTEM = list(range(100, 150))
QUESTION = [*SYSTEM, *range(200, 250)]


@dataclass(frozen=True)
class Kept:
    """A state of so many bytes."""

    name: str
    kv_bytes: int = 10
    can_trim: bool = True


def cache_of(*states: tuple[Sequence[int], Kept], cap_bytes: int = 1_000) -> PromptCache[Kept]:
    """A cache with these states of one tenant."""
    cache: PromptCache[Kept] = PromptCache(cap_bytes)
    for ids, state in states:
        cache.store("", ids, state)
    return cache


def test_a_state_that_can_be_trimmed_serves_any_shared_beginning() -> None:
    """Two questions after one system prompt share its state, whichever was asked first."""
    cache = cache_of((QUESTION, first := Kept("first")))

    hit = cache.find("", [*SYSTEM, *range(300, 350)])

    assert hit == Hit(first, tokens=50, surplus=50)
    assert cache.find("", QUESTION) == Hit(first, tokens=100, surplus=0)


def test_a_state_that_can_not_be_trimmed_serves_what_begins_with_all_of_it() -> None:
    """A rotating window has dropped what a shorter prompt would need."""
    cache = cache_of((SYSTEM, short := Kept("short", can_trim=False)), (QUESTION, long := Kept("long", can_trim=False)))

    assert cache.find("", [*QUESTION, 1]) == Hit(long, tokens=100, surplus=0)
    assert cache.find("", QUESTION[:99]) == Hit(short, tokens=50, surplus=0)
    assert cache.find("", SYSTEM[:49]) is None


def test_the_state_that_serves_most_is_chosen() -> None:
    """Of both kinds, whichever saves more."""
    cache = cache_of((SYSTEM, Kept("whole", can_trim=False)), ([*QUESTION[:80], 1], trimmed := Kept("trimmed")))

    assert cache.find("", QUESTION) == Hit(trimmed, tokens=80, surplus=1)


def test_too_few_ids_are_no_hit() -> None:
    """Reading a handful of ids is quicker than copying a state."""
    cache = cache_of((QUESTION, Kept("")))

    assert cache.find("", [*QUESTION[: LEAST_TOKENS - 1], 1]) is None
    assert cache.hits == 0


def test_hits_and_saved_tokens_are_counted() -> None:
    """Looking without using counts nothing."""
    cache = cache_of((QUESTION, Kept("")))

    assert cache.known("", QUESTION[:70]) == 70
    cache.find("", QUESTION[:60])
    cache.find("", QUESTION)

    assert (cache.hits, cache.saved_tokens) == (2, 160)


def test_tenants_see_nothing_of_each_other() -> None:
    """Whether somebody else has asked the same can't be told, not even by how long it takes."""
    cache = cache_of()
    cache.store("one", QUESTION, Kept("one"))

    assert cache.known("two", QUESTION) == 0
    assert cache.find("two", QUESTION) is None
    assert cache.find("one", QUESTION) is not None


def test_what_was_of_use_longest_ago_goes_first() -> None:
    """A hit is a use."""
    chats = [[chat] * 40 for chat in (1, 2, 3)]
    cache = cache_of(*((ids, Kept(str(ids[0]), kv_bytes=40)) for ids in chats[:2]), cap_bytes=100)

    cache.find("", chats[0])
    cache.store("", chats[2], Kept("3", kv_bytes=40))

    assert [cache.known("", ids) for ids in chats] == [40, 0, 40]
    assert (cache.held_bytes, len(cache)) == (80, 2)


def test_rows_take_memory_from_the_cache_and_give_it_back() -> None:
    """A lower bound empties it at once, and never lifts its cap."""
    cache = cache_of((QUESTION, Kept("", kv_bytes=90)), cap_bytes=100)

    cache.bound(0)
    cache.store("", QUESTION, Kept("", kv_bytes=1))
    assert (cache.held_bytes, len(cache)) == (0, 0)
    cache.bound(10_000)
    cache.store("", QUESTION, Kept("", kv_bytes=101))
    assert cache.held_bytes == 0

    cache.store("", QUESTION, Kept("", kv_bytes=100))
    assert cache.held_bytes == 100


def test_a_longer_state_replaces_those_on_its_way() -> None:
    """A chat of many turns takes the memory of one, where states can be trimmed."""
    cache = cache_of((SYSTEM, Kept("system", can_trim=False)), (QUESTION[:70], Kept("short")))

    cache.store("", QUESTION, Kept("long", kv_bytes=30))

    assert (len(cache), cache.held_bytes) == (1, 30)


def test_a_state_of_its_own_kind_stays_beside_longer_ones() -> None:
    """Where states can't be trimmed the shorter one is still the only one for who parts there."""
    cache = cache_of((SYSTEM, Kept("", can_trim=False)), (QUESTION, Kept("", can_trim=False)))

    cache.store("", QUESTION, Kept("again", kv_bytes=20, can_trim=False))

    assert (len(cache), cache.held_bytes) == (2, 30)


def test_a_cache_without_room_keeps_nothing() -> None:
    """0 turns it off."""
    cache = cache_of((QUESTION, Kept("")), cap_bytes=0)

    assert not cache.is_on
    assert cache.find("", QUESTION) is None
