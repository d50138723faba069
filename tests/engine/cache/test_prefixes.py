"""Which stored ids a sequence begins with, held against looking at all of them."""

import random
from collections.abc import Sequence
from itertools import takewhile

from worker.engine.cache.prefixes import Key, Prefixes, key_of, length


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids both begin with, counted one by one."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def some_ids(chance: random.Random) -> tuple[int, ...]:
    """Few ids that differ little, also those whose bytes don't sort as their numbers do."""
    return tuple(chance.choice((1, 2, 256, 70_000)) for _ in range(chance.randint(1, 9)))


def filled(*sequences: Sequence[int]) -> Prefixes:
    """A set of these."""
    prefixes = Prefixes()
    for ids in sequences:
        prefixes.add(key_of(ids))
    return prefixes


def test_the_nearest_is_found_as_by_looking_at_all() -> None:
    """No stored sequence shares more ids than the one that is found."""
    chance = random.Random(1)
    stored = {some_ids(chance) for _ in range(300)}
    prefixes = filled(*stored)

    for ids in (some_ids(chance) for _ in range(500)):
        found = prefixes.nearest(key_of(ids))

        most = max(shared(ids, other) for other in stored)
        assert (found[1] if found else 0) == most


def test_beginnings_are_found_longest_first() -> None:
    """Every stored beginning of a sequence is found, itself included, and nothing else."""
    chance = random.Random(2)
    stored = {some_ids(chance) for _ in range(300)}
    prefixes = filled(*stored)

    for ids in (some_ids(chance) for _ in range(500)):
        beginnings = [ids[:end] for end in range(len(ids), 0, -1) if ids[:end] in stored]
        assert list(prefixes.within(key_of(ids))) == [key_of(beginning) for beginning in beginnings]


def test_what_was_removed_is_not_found() -> None:
    """A set that was emptied is as one that never held anything."""
    prefixes = filled((1, 2), (1, 2, 3))

    prefixes.remove(key_of((1, 2, 3)))
    assert prefixes.nearest(key_of((1, 2, 3))) == (key_of((1, 2)), 2)
    prefixes.remove(key_of((1, 2)))

    assert prefixes.nearest(key_of((1, 2, 3))) is None
    assert len(prefixes) == 0


def test_a_key_knows_how_many_ids_it_has() -> None:
    """Also where an id's bytes are zeros."""
    keys: list[Key] = [key_of(ids) for ids in ((), (0,), (0, 0, 0), (2**32 - 1,))]

    assert [length(key) for key in keys] == [0, 1, 3, 1]
