"""Sequences of ids in order, to find what a new one begins with. Pure: it holds keys and nothing under them.

A key is its ids as bytes, four each, so that comparing and cutting are the machine's own. What shares the longest
beginning with a sequence is next to it in the order.
"""

import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence

Key = bytes
_ID_BYTES = 4


def key_of(ids: Sequence[int]) -> Key:
    """These ids as a key."""
    key = array.array("I", ids)
    assert key.itemsize == _ID_BYTES
    return key.tobytes()


def length(key: Key) -> int:
    """How many ids a key has."""
    return len(key) // _ID_BYTES


class Prefixes:
    """A set of keys."""

    def __init__(self) -> None:
        self._keys: list[Key] = []

    def __len__(self) -> int:
        """How many keys there are."""
        return len(self._keys)

    def add(self, key: Key) -> None:
        """Take a key in, which is not there yet."""
        insort(self._keys, key)

    def remove(self, key: Key) -> None:
        """Drop a key, which is there."""
        at = bisect_left(self._keys, key)
        assert self._keys[at] == key
        del self._keys[at]

    def nearest(self, key: Key) -> tuple[Key, int] | None:
        """Find the key that shares the most ids with this one, and how many; None where none shares any."""
        at = bisect_left(self._keys, key)
        around = self._keys[max(0, at - 1) : at + 1]
        best = max(((_shared(key, other), other) for other in around), default=(0, b""))
        return (best[1], best[0]) if best[0] else None

    def within(self, key: Key) -> Iterator[Key]:
        """Tell the keys that this one begins with, itself included, longest first. None may be taken out meanwhile."""
        at = bisect_right(self._keys, key)
        while at:
            found = self._keys[at - 1]
            shared = _shared(key, found)
            if shared == length(found):
                yield found
                at -= 1
            else:
                # Longer beginnings would stand behind what was found, so the next is at most what is shared.
                at = bisect_right(self._keys, key[: shared * _ID_BYTES], hi=at - 1)


def _shared(one: Key, other: Key) -> int:
    """How many ids both begin with."""
    low, high = 0, min(length(one), length(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low * _ID_BYTES : middle * _ID_BYTES] == other[low * _ID_BYTES : middle * _ID_BYTES]:
            low = middle
        else:
            high = middle - 1
    return low
