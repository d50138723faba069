"""Which batches are run now: the oldest of each tenant, then the second of each, and so on. A plain function."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest


def in_turn(unfinished: Iterable[tuple[int, str, str]], most: int) -> list[str]:
    """The tags of at most so many, out of (made at, tenant, tag): nobody's many batches keep another's waiting."""
    by_tenant: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for created, tenant, tag in sorted(unfinished):
        by_tenant[tenant].append((created, tag))
    rounds = zip_longest(*by_tenant.values())
    return [each[1] for turn in rounds for each in sorted(filter(None, turn))][:most]
