"""Which rows are read next, and in what chunks."""

import pytest

from worker.engine.decode.admission import (
    COPIES,
    Demand,
    Room,
    cache_room,
    choose_group,
    chunk_size,
    free_seats,
    kv_tokens,
    lull_s,
)

ROOM = Room(free_slots=4, kv_tokens=None, tokens=0)


def demand(to_read: int, longest: int = 100) -> Demand:
    return Demand(to_read=to_read, longest=longest)


def test_short_prompts_are_read_together_as_far_as_one_chunk_goes() -> None:
    """Padding counts: a group takes its longest prompt as often as it has rows."""
    assert choose_group([demand(30), demand(10), demand(40), demand(5)], ROOM, 128) == [0, 1, 2]


def test_a_long_prompt_is_read_alone() -> None:
    """Short ones behind it don't wait in its group, and it doesn't pad them."""
    assert choose_group([demand(900), demand(10)], ROOM, 128) == [0]


def test_a_long_prompt_is_passed_by_short_ones_of_one_group_only() -> None:
    """Who is first is always in the next group, so nobody starves."""
    waiting = [demand(10), demand(900), demand(20)]

    first = choose_group(waiting, ROOM, 128)
    left = [waiting[place] for place in range(len(waiting)) if place not in first]

    assert first == [0, 2]
    assert choose_group(left, ROOM, 128) == [0]


def test_no_more_rows_are_taken_than_slots_are_free() -> None:
    """A group never outgrows the batch."""
    assert choose_group([demand(1)] * 9, Room(free_slots=2, kv_tokens=None, tokens=0), 128) == [0, 1]
    assert choose_group([demand(1)], Room(free_slots=0, kv_tokens=None, tokens=0), 128) == []


def test_the_prompt_cache_has_what_no_row_may_come_to_need() -> None:
    """All rows as long as they may get, and a second copy of them; where no limit is known none is set."""
    room = Room(free_slots=1, kv_tokens=5_000, tokens=3_000)

    assert cache_room(room, bytes_per_token=7) == 2_000 * 7 * COPIES
    assert cache_room(Room(free_slots=1, kv_tokens=2_000, tokens=3_000), bytes_per_token=7) == 0
    assert cache_room(Room(free_slots=1, kv_tokens=None, tokens=3_000), bytes_per_token=0) is None


def test_a_groups_memory_is_counted_as_rows_times_the_longest() -> None:
    """State is dense: a row of 1,000 tokens makes those that are read with it as large, and nobody elsewhere."""
    room = Room(free_slots=8, kv_tokens=4_000, tokens=2_000)

    assert choose_group([demand(1, longest=1_000), demand(1), demand(1)], room, 128) == [0, 1]
    assert choose_group([demand(1, longest=2_500)], room, 128) == []


def test_who_waits_first_for_memory_is_not_passed() -> None:
    """A large request gets its turn when the rows before it have ended, not when nobody small comes any more."""
    room = Room(free_slots=8, kv_tokens=4_000, tokens=2_500)

    assert choose_group([demand(1, longest=2_000), demand(1, longest=10)], room, 128) == []


def test_a_request_larger_than_all_memory_is_tried_when_nothing_else_runs() -> None:
    """Nobody waits forever for room that never comes."""
    assert choose_group([demand(1, longest=9_000)], Room(free_slots=8, kv_tokens=4_000, tokens=0), 128) == [0]


def test_a_chunk_takes_a_quarter_of_a_second_from_those_who_decode() -> None:
    """A slow machine reads small chunks, a fast one no larger ones than it was told to."""
    assert chunk_size(tokens_per_second=300, step=512, decoding=8, waiting=1) == 64
    assert chunk_size(tokens_per_second=9_000, step=512, decoding=8, waiting=1) == 512
    assert chunk_size(tokens_per_second=10, step=512, decoding=8, waiting=1) == 32


def test_an_idle_engine_reads_larger_chunks() -> None:
    """Nobody waits but the prompt itself, and whoever cancels it."""
    assert chunk_size(tokens_per_second=9_000, step=512, decoding=0, waiting=1) == 2_048
    assert chunk_size(tokens_per_second=300, step=512, decoding=0, waiting=1) == 256


def test_a_burst_is_read_in_one_go() -> None:
    """Where a quarter as many wait as decode, those who decode lose seconds once, instead of all many steps."""
    assert chunk_size(tokens_per_second=300, step=512, decoding=8, waiting=8) == 1_200
    assert chunk_size(tokens_per_second=9_000, step=512, decoding=8, waiting=8) == 2_048
    assert chunk_size(tokens_per_second=300, step=512, decoding=8, waiting=2) == 1_024
    assert chunk_size(tokens_per_second=300, step=512, decoding=8, waiting=1) == 64


def test_few_are_read_together_for_as_long_as_two_chunks_take() -> None:
    """The last of a burst: one after the other they would take as long, and a decode step between each two."""
    assert chunk_size(tokens_per_second=300, step=512, decoding=13, waiting=3) == 150
    assert chunk_size(tokens_per_second=9_000, step=512, decoding=13, waiting=3) == 1_024


def test_an_idle_engine_waits_for_a_burst_a_small_part_of_what_it_reads() -> None:
    """A lone request pays that, so it is never much; and long enough for what was sent at once to be there."""
    assert lull_s(50, tokens_per_second=500) == pytest.approx(0.005)
    assert lull_s(50, tokens_per_second=5_000) == lull_s(0, tokens_per_second=500) == 0.002
    assert lull_s(5_000, tokens_per_second=500) == lull_s(1, tokens_per_second=0) == 0.008


def test_an_unmeasured_machine_begins_small() -> None:
    """The first chunk is the measurement, and must not take seconds."""
    assert chunk_size(tokens_per_second=0, step=512, decoding=0, waiting=1) == 128
    assert chunk_size(tokens_per_second=0, step=64, decoding=1, waiting=0) == 64


@pytest.mark.parametrize(("busy", "calm", "short"), [(0, 4, 1), (1, 3, 0), (4, 0, 0)])
def test_where_memory_is_short_only_one_alone_comes_in(busy: int, calm: int, short: int) -> None:
    """The first is always tried; nobody joins it."""
    assert free_seats(4, busy, is_short=False) == calm
    assert free_seats(4, busy, is_short=True) == short


def test_what_fits_is_counted_with_its_copy() -> None:
    """A join copies the state, so half of the room is for rows; where a token takes nothing, nothing limits them."""
    assert kv_tokens(1_000, 10) == 1_000 // 10 // COPIES
    assert kv_tokens(1_000, 0) is None
