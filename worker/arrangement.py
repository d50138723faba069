"""Which models are loaded on a machine, and which make room: a pure decision on sizes and times.

What is used least leaves first, and only for one that is wanted. Models that do not fit together take turns: once a job
has waited for a whole turn, a busy model takes no more jobs, and leaves when it has ended those that it runs.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

# A model with nothing to do for so long is idle: between two jobs there are moments without any.
IDLE_S = 1.0
# To help where another worker serves the queue already, only what nobody has used for so long is unloaded.
RELIEF_IDLE_S = 30.0
# What ending an engine takes, about.
UNLOAD_S = 1.0


class Resident(NamedTuple):
    """A model that fills memory here: one that is loaded, comes or goes."""

    queue: str
    size: int
    last_used_s: float
    ready_s: float | None = None  # since when it serves; None while it loads
    load_s: float = 0.0
    is_busy: bool = False
    is_pinned: bool = False
    is_yielding: bool = False
    is_leaving: bool = False


class Want(NamedTuple):
    """A model that is to be loaded here, since then."""

    queue: str
    size: int
    since_s: float
    load_s: float = 0.0
    is_relief: bool = False


class Rules(NamedTuple):
    """What the operator says. `keep_s` is how long a model stays without a job; 0: until room is needed."""

    budget: int
    turn_s: float
    keep_s: float = 0.0


class Arrangement(NamedTuple):
    """What to do now; without any change the answer is the same until `again_at_s`."""

    load: tuple[str, ...] = ()
    unload: tuple[str, ...] = ()
    yielding: frozenset[str] = frozenset()
    room_for: frozenset[str] = frozenset()  # the wanted ones whose room is there, or is being made
    again_at_s: float = math.inf


def arrange(residents: Sequence[Resident], wants: Iterable[Want], rules: Rules, now_s: float) -> Arrangement:
    """Decide it; who has waited longest comes first, and what only helps comes last."""
    free = rules.budget - sum(one.size for one in residents)
    coming = sum(one.size for one in residents if one.is_leaving)
    load, room_for, yielding, again_at_s = list[str](), set[str](), frozenset[str](), math.inf
    unload = [one.queue for one in residents if _is_stale(one, rules.keep_s, now_s)]
    coming += sum(one.size for one in residents if one.queue in unload)
    for want in sorted(wants, key=lambda want: (want.is_relief, want.since_s, want.queue)):
        if want.size <= free:
            load.append(want.queue)
        elif want.size > free + coming:
            victims = victims_for(want, want.size - free - coming, residents, now_s, besides=unload)
            if victims is None:
                yielding, turn_at_s = _give_way(want, free + coming, residents, rules, now_s)
                again_at_s = min(again_at_s, turn_at_s)
                if yielding:
                    room_for.add(want.queue)
                    break  # what comes free is its own, whoever else waits
                continue
            unload += [one.queue for one in victims]
            coming += sum(one.size for one in victims)
        free -= want.size
        room_for.add(want.queue)
    again_at_s = min(again_at_s, _next_at_s(residents, rules, now_s))
    return Arrangement(tuple(load), tuple(unload), yielding, frozenset(room_for), again_at_s)


def victims_for(
    want: Want, missing: int, residents: Iterable[Resident], now_s: float, *, besides: Collection[str] = ()
) -> list[Resident] | None:
    """Whom to unload so that so many bytes come free: the least recently used, none in vain; None: that can't be."""
    idle_s = RELIEF_IDLE_S if want.is_relief else IDLE_S
    idle = [one for one in residents if one.queue not in besides and _is_idle(one, idle_s, now_s)]
    idle.sort(key=lambda one: (one.last_used_s, one.queue))
    victims: list[Resident] = []
    for one in idle:
        if sum(each.size for each in victims) >= missing:
            break
        victims.append(one)
    spare = sum(each.size for each in victims) - missing
    if spare < 0:
        return None
    for one in reversed(tuple(victims)):
        if one.size <= spare:
            victims.remove(one)
            spare -= one.size
    return victims


def room_in_s(want: Want, residents: Sequence[Resident], rules: Rules, now_s: float) -> float:
    """How long it takes until there is room for it, about."""
    if want.size + sum(one.size for one in residents) <= rules.budget:
        return 0.0
    missing = want.size + sum(one.size for one in residents if not one.is_leaving) - rules.budget
    for wait_s in (0.0, IDLE_S):  # what has nothing to do just now is idle in a moment
        if victims_for(want, missing, residents, now_s + wait_s) is not None:
            return wait_s + UNLOAD_S
    return rules.turn_s + UNLOAD_S


def _give_way(
    want: Want, room: int, residents: Sequence[Resident], rules: Rules, now_s: float
) -> tuple[frozenset[str], float]:
    """Who takes no more jobs for it, if it is its turn; and when it may be."""
    if want.is_relief:
        return frozenset(), math.inf
    movable = [one for one in residents if not (one.is_pinned or one.is_leaving)]
    ends = sorted((_turn_ends_s(one, want, rules.turn_s), one) for one in movable)
    chosen: list[tuple[float, Resident]] = []
    while ends and room < want.size:
        chosen.append(ends.pop(0))
        room += chosen[-1][1].size
    if room < want.size:
        return frozenset(), math.inf
    turn_at_s = max(chosen[-1][0], want.since_s + rules.turn_s)
    if now_s < turn_at_s:
        return frozenset(), turn_at_s
    for end in reversed(chosen[:-1]):
        if room - end[1].size >= want.size:
            chosen.remove(end)
            room -= end[1].size
    return frozenset(one.queue for _, one in chosen), math.inf


def _turn_ends_s(one: Resident, want: Want, turn_s: float) -> float:
    """When a model has had its turn: half of the time, at least, is worked and not spent on loading."""
    return math.inf if one.ready_s is None else one.ready_s + max(turn_s, one.load_s + want.load_s)


def _is_idle(one: Resident, idle_s: float, now_s: float) -> bool:
    if one.is_busy or one.is_pinned or one.is_leaving or one.ready_s is None:
        return False
    return one.is_yielding or now_s - one.last_used_s >= idle_s


def _is_stale(one: Resident, keep_s: float, now_s: float) -> bool:
    return keep_s > 0 and _is_idle(one, max(keep_s, IDLE_S), now_s) and not one.is_yielding


def _next_at_s(residents: Iterable[Resident], rules: Rules, now_s: float) -> float:
    """When one that does nothing now counts as idle, or has been kept for long enough."""
    waits = [IDLE_S, RELIEF_IDLE_S] + ([max(rules.keep_s, IDLE_S)] if rules.keep_s > 0 else [])
    rests = [
        one for one in residents if not (one.is_busy or one.is_pinned or one.is_leaving) and one.ready_s is not None
    ]
    times = [one.last_used_s + wait for one in rests for wait in waits]
    return min((at_s for at_s in times if at_s > now_s), default=math.inf)
