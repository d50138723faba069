"""Rows that go on from kept state are those that read everything: cached = fresh, id for id, on every kind of model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import mlx.core as mx
import pytest

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.model import Model
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings

from .small import KINDS, VOCABULARY, decoder_of, rows, run

PLENTY = 1 << 30
CHATS = rows((120, 10), (50, 36), (33, 12), (150, 8), (5, 34))
QUESTION = list(range(7, 27))
LONG = Row(key=1, ids=[*range(300)], drawn=0, limit=20, settings=Settings())
NAMED = replace(LONG, prefixes=(("system", 40), ("question", 160), ("tip", 300)))


def next_turn(chats: Sequence[Row], answers: Mapping[int, list[int]], *, has_boundaries: bool) -> list[Row]:
    """Each chat with its answer and a question more; a boundary lies in the middle of the question."""
    longer = [[*row.ids, *answers[row.key], *QUESTION] for row in chats]
    return [
        replace(row, ids=ids, boundaries=(len(ids) - 10,) if has_boundaries else ())
        for row, ids in zip(chats, longer, strict=True)
    ]


def begin(decoder: Decoder, row: Row) -> int:
    """Add and admit a row; tell how many of its ids were cached."""
    decoder.add(row)
    return dict(decoder.admit())[row.key]


def finish(decoder: Decoder, row: Row) -> list[int]:
    """Decode a row that was begun, alone, to its limit."""
    drawn: list[int] = []
    while len(drawn) < row.limit:
        drawn += [each.token for each in decoder.decode()]
        decoder.prefill()
    decoder.drop({row.key})
    return drawn


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_chat_goes_on_as_if_it_had_been_read_anew(build_model: Callable[[], Model], is_ahead: bool) -> None:
    """Turn by turn, in a batch whose rows have unequally much cached, greedy and sampled."""
    model = build_model()
    fresh, cached = decoder_of(model, is_ahead=is_ahead), decoder_of(model, is_ahead=is_ahead, cache_bytes=PLENTY)
    chats = CHATS

    for turn in range(2):
        answers = run(fresh, chats)

        assert run(cached, chats) == answers
        assert cached.prompt_cache.hits == turn * len(CHATS)
        chats = next_turn(chats, answers, has_boundaries=cached.wants_boundaries)
    assert run(cached, chats) == run(fresh, chats)
    assert cached.prompt_cache.saved_tokens > 800


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
def test_a_boundary_serves_whoever_parts_there(build_model: Callable[[], Model]) -> None:
    """Alone or in a group: state that can't be trimmed was kept on the way, and other state can be."""
    model = build_model()
    fresh, cached = decoder_of(model), decoder_of(model, cache_bytes=PLENTY)
    group = [replace(row, ids=[row.key, *LONG.ids[1:120]], boundaries=(40, 80), limit=4) for row in CHATS[:3]]
    run(cached, group)

    for row in group:
        parting = replace(row, ids=[*row.ids[:80], *QUESTION])
        known = begin(cached, parting)

        assert known == 80
        assert finish(cached, parting) == run(fresh, [parting])[row.key]


def test_the_same_prompt_again_is_not_read_again() -> None:
    """All but the last id is cached; that one is fed by the batch, as always."""
    cached = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    first = run(cached, [LONG])[LONG.key]

    assert begin(cached, LONG) == len(LONG.ids) - 1
    assert cached.tokens_to_read == 0
    assert finish(cached, LONG) == first


def test_what_a_cancelled_prefill_has_read_is_kept() -> None:
    """A retry goes on where the cancel struck, and says what it would have said."""
    model = KINDS["full attention"]()
    cached = decoder_of(model, cache_bytes=PLENTY)
    begin(cached, LONG)
    read = [cached.prefill()[0].done for _ in range(3)][-1] - 1

    cached.drop({LONG.key})

    assert 0 < read < len(LONG.ids) - 1
    assert begin(cached, LONG) == read
    assert finish(cached, LONG) == run(decoder_of(model), [LONG])[LONG.key]


def test_a_row_that_goes_on_leaves_the_kept_state_as_it_was() -> None:
    """Many go on from one state, at once and one after the other, each in its own way."""
    model = KINDS["full attention"]()
    cached, fresh = decoder_of(model, cache_bytes=PLENTY), decoder_of(model)
    run(cached, [LONG])
    branches = [replace(LONG, key=key, ids=[*LONG.ids[: 40 * key], *QUESTION, key]) for key in range(1, 8)]

    assert run(cached, branches) == run(fresh, branches)
    assert run(cached, branches[::-1]) == run(fresh, branches)
    assert cached.prompt_cache.hits == 14


def told(decoder: Decoder) -> tuple[set[str], set[str]]:
    """What is served now and was not when it was last told, and the other way round."""
    stored, evicted = decoder.prompt_cache.labels.changes()
    return set(stored), set(evicted)


def test_a_prompt_is_served_by_its_names_once_it_was_read() -> None:
    """Not only when its row has left; and that one's longer state serves the same."""
    decoder = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    begin(decoder, replace(NAMED, limit=40))
    while not decoder.decode():
        assert told(decoder) == (set(), set())
        decoder.prefill()

    assert told(decoder) == ({"system", "question", "tip"}, set())
    finish(decoder, replace(NAMED, limit=30))
    assert told(decoder) == (set(), set())


def test_a_cancelled_prefill_is_served_by_what_it_has_surely_read() -> None:
    """A retry finds that much here; the whole is told when that one has read it."""
    decoder = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    begin(decoder, NAMED)
    while decoder.prefill()[0].done < 100:
        pass

    decoder.drop({NAMED.key})

    assert told(decoder) == ({"system"}, set())
    run(decoder, [NAMED])
    assert told(decoder) == ({"question", "tip"}, set())


def test_a_resumed_row_is_served_by_its_prompts_names() -> None:
    """Ids that earlier attempts generated stand behind the prompt, and are no part of it."""
    decoder = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)

    run(decoder, [replace(NAMED, ids=[*NAMED.ids, *range(200)], drawn=200, limit=210)])

    assert told(decoder) == ({"system", "question", "tip"}, set())


def test_what_was_read_without_names_is_served_by_those_who_come_later() -> None:
    """Another prompt, or the same under other names, that leaves no state of its own."""
    decoder = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    run(decoder, [LONG])
    assert told(decoder) == (set(), set())

    run(decoder, [NAMED])

    assert len(decoder.prompt_cache) == 1
    assert told(decoder)[0] >= {"tip"}


def test_what_makes_room_for_rows_is_told() -> None:
    """Memory that a row may come to need is nobody's prompt cache."""
    decoder = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    run(decoder, [NAMED])
    told(decoder)

    begin(decoder, replace(LONG, key=2, ids=[9] * 40, limit=1 << 50))

    assert told(decoder) == (set(), {"system", "question", "tip"})


@pytest.mark.parametrize("kind", ["sliding window", "hybrid", "state space"])
def test_states_of_fixed_length_serve_what_ends_there(kind: str) -> None:
    """One at the boundary before the first question, one behind the last message: each by its own name."""
    decoder = decoder_of(KINDS[kind](), cache_bytes=PLENTY)

    run(decoder, [replace(NAMED, boundaries=(42, 295))])

    assert decoder.prompt_cache.known("", NAMED.ids[:42]) == 42
    assert told(decoder) == ({"system", "tip"}, set())


def test_tenants_read_their_own_prompts() -> None:
    """The same prompt of another tenant is read from its beginning."""
    cached = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    run(cached, [replace(LONG, tenant="one")])

    assert begin(cached, replace(LONG, tenant="two")) == 0


def test_the_cache_makes_room_for_rows() -> None:
    """State is kept only in the memory that no row may come to need."""
    cached = decoder_of(KINDS["full attention"](), cache_bytes=PLENTY)
    run(cached, [LONG])
    assert cached.prompt_cache.held_bytes > 0

    begin(cached, replace(LONG, key=2, ids=[9] * 40, limit=1 << 50))

    assert cached.prompt_cache.held_bytes == 0


@pytest.mark.parametrize("kind", ["full attention", "sliding window", "hybrid"])
def test_memory_is_flat_over_many_requests(kind: str) -> None:
    """Nothing is held besides the kept states, and these are within their cap."""
    cap_bytes = 1 << 18
    decoder = decoder_of(KINDS[kind](), cache_bytes=cap_bytes)
    before = mx.get_active_memory()

    for number in range(40):
        ids = [(number * 31 + at * at) % VOCABULARY for at in range(40 + number % 24)]
        row = Row(key=number, ids=ids, drawn=0, limit=2, settings=Settings(), boundaries=(36,))
        begin(decoder, row)
        decoder.prefill()  # the whole of it, or what was read when it is dropped here
        decoder.decode()
        decoder.drop({row.key})

    held = decoder.prompt_cache.held_bytes
    assert cap_bytes / 2 < held <= cap_bytes
    assert abs(mx.get_active_memory() - before - held) <= held / 20
