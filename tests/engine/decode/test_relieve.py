"""A decoder that is short of memory: who waits, what is let go, who leaves, and that nobody's ids change."""

import itertools
from collections.abc import Sequence

import pytest

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.gauge import Gauge
from worker.engine.decode.row import Row

from .small import KINDS, rows, run

LIMIT = 1 << 30
CALM, SOFT, HARD = int(LIMIT * 0.5), int(LIMIT * 0.9), int(LIMIT * 0.97)


class Machine:
    """A decoder on a machine whose memory is as full as a test says."""

    def __init__(self, *, cache_bytes: int = 0, limit: int = LIMIT) -> None:
        self.used = limit // 2
        self.now_s = 0.0
        gauge = Gauge(limit, used=lambda: self.used, free=lambda: None, clock=lambda: self.now_s)
        model = KINDS["full attention"]()
        self.decoder = Decoder(
            model, ends=[], slots=8, prefill_step=16, cache_bytes=cache_bytes, gauge=gauge, is_ahead=False
        )
        self.decoder.warm_up()

    def fill(self, used: int) -> list[int]:
        """Let so much be used, and the decoder see it."""
        self.used = used
        self.now_s += 1
        return self.decoder.relieve()

    def take_in(self, given: Sequence[Row]) -> None:
        """Have rows decode."""
        for row in given:
            self.decoder.add(row)
        self.advance()

    def advance(self, steps: int = 8) -> dict[int, list[int]]:
        """Take some steps, in which nobody ends."""
        drawn: dict[int, list[int]] = {}
        for _ in range(steps):
            self.decoder.admit()
            for key, token, *_ in self.decoder.decode():
                drawn.setdefault(key, []).append(token)
            self.decoder.prefill()
        return drawn


def test_above_the_soft_mark_nobody_joins_others() -> None:
    """Who is there goes on; who waits waits until they have ended."""
    machine = Machine()
    first, second = rows((5, 90), (7, 90))
    machine.take_in([first])

    assert machine.fill(SOFT) == []
    machine.decoder.add(second)
    drawn = machine.advance()

    assert machine.decoder.pressure == "soft"
    assert (set(drawn), machine.decoder.waiting) == ({first.key}, 1)
    machine.decoder.drop({first.key})
    assert set(machine.advance()) == {second.key}


@pytest.mark.parametrize("used", [SOFT, HARD])
def test_the_first_row_of_an_idle_engine_is_always_tried(used: int) -> None:
    """One at a time, however full the machine is: the next when it has ended."""
    machine = Machine()
    machine.fill(used)

    given = rows((5, 9), (7, 9), (4, 9))

    assert run(machine.decoder, given) == run(Machine().decoder, given)


def test_the_prompt_cache_goes_first() -> None:
    """As far as needed above the soft mark, the oldest first; all of it above the hard one, and nothing is added."""
    machine = Machine(cache_bytes=1 << 24)
    for row in rows((40, 1), (60, 1), (50, 1)):
        run(machine.decoder, [row])
    kept = machine.decoder.prompt_cache
    held, states = kept.held_bytes, len(kept)

    machine.fill(int(LIMIT * 0.85) + 1)
    assert (len(kept), kept.held_bytes < held) == (states - 1, True)
    machine.fill(HARD)
    assert len(kept) == 0

    run(machine.decoder, rows((70, 1)))
    assert len(kept) == 0


def test_above_the_hard_mark_all_but_one_leave_if_that_much_is_missing() -> None:
    """The one with the most work behind it stays, and what leaves is kept nowhere."""
    machine = Machine(cache_bytes=1 << 24)
    machine.take_in(rows((50, 90), (20, 90), (30, 90)))

    leaving = machine.fill(HARD)
    machine.decoder.drop(leaving)

    assert leaving == [1, 2]
    assert set(machine.advance()) == {0}
    assert machine.decoder.prompt_cache.held_bytes == 0


def test_a_row_that_left_goes_on_elsewhere_and_those_that_stay_here_as_if_nothing_had_been() -> None:
    """Id for id, in any company."""
    whole = run(Machine().decoder, given := rows((50, 90), (20, 90)))
    machine, elsewhere = Machine(), Machine()
    machine.take_in(given)
    drawn = machine.advance()

    leaving = machine.fill(HARD)
    machine.decoder.drop(leaving)

    (gone,) = [row for row in given if row.key in leaving]
    before = whole[gone.key][:30]
    rest = run(elsewhere.decoder, [_resumed(gone, before)])
    assert before + rest[gone.key] == whole[gone.key]
    stayed = {key: ids for key, ids in drawn.items() if key not in leaving}
    later = machine.advance()
    assert all(is_within(stayed[key], later[key], whole[key]) for key in stayed)


def is_within(first: list[int], then: list[int], whole: list[int]) -> bool:
    """Whether two runs of ids stand behind one another somewhere in a whole one."""
    together = first + then
    return any(whole[at : at + len(together)] == together for at in range(len(whole)))


def _resumed(row: Row, ids: list[int]) -> Row:
    return Row(key=row.key, ids=[*row.ids, *ids], drawn=len(ids), limit=row.limit, settings=row.settings)


def test_a_row_that_is_too_large_by_itself_leaves_beyond_the_limit() -> None:
    """As long as there is something below it, it is tried."""
    limit = 1 << 20
    machine = Machine(limit=limit)
    machine.take_in(rows((50, 90)))

    assert machine.decoder.kv_bytes > limit * 0.1
    assert machine.fill(int(limit * 0.99)) == []
    assert machine.fill(limit) == [0]


def test_memory_is_read_a_few_times_a_second() -> None:
    """A reading costs little, but not nothing, and a step may take a millisecond."""
    machine = Machine()
    machine.fill(CALM)

    machine.used = HARD
    machine.now_s += 0.1
    machine.decoder.relieve()
    assert machine.decoder.pressure == ""
    machine.now_s += 0.2
    machine.decoder.relieve()

    assert machine.decoder.pressure == "hard"


def test_a_limit_beyond_the_device_is_the_devices() -> None:
    """A flag for more than there is changes nothing."""
    assert Gauge(1 << 60).limit_bytes == Gauge().limit_bytes


def test_an_engine_at_rest_for_a_minute_keeps_nothing_that_is_free() -> None:
    """Once in a rest, and not between two bursts, whose second would pay for it; the prompt cache stays as it is."""
    freed: list[int] = []
    now_s = 0.0
    gauge = Gauge(LIMIT, used=lambda: CALM, free=lambda: LIMIT, clock=lambda: now_s)

    spared: list[tuple[float, int]] = []
    for now_s in range(200):
        gauge.read(freed.append, is_idle=now_s not in (0, 50))
        spared += [(now_s, wanted) for wanted in freed]
        freed.clear()

    assert spared == [(111, 0)]


def test_where_little_is_free_for_others_an_engine_at_rest_gives_back_at_once() -> None:
    """Another program may need it now; a busy engine keeps what it needs again in a moment."""
    freed: list[int] = []
    now_s = itertools.count(1)
    gauge = Gauge(LIMIT, used=lambda: CALM, free=lambda: LIMIT // 9, clock=lambda: next(now_s))

    for is_idle in (False, False, True, True, False, True):
        gauge.read(freed.append, is_idle=is_idle)

    assert freed == [0, 0]


def test_what_is_free_goes_before_the_prompt_cache() -> None:
    """The heap keeps what was freed, and that counts as used until it is given back: nothing kept has to go for it."""
    used, wanted = HARD, list[int]()

    def spare(wanted_bytes: int) -> None:
        nonlocal used
        used = CALM
        wanted.append(wanted_bytes)

    gauge = Gauge(LIMIT, used=lambda: used, free=lambda: None, clock=lambda: 1.0)
    gauge.read(spare, is_idle=False)

    assert (wanted, gauge.pressure) == ([0], "")
