"""The rings of recent ids, against lists."""

from typing import cast

import mlx.core as mx
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from worker.engine.decode.recent import Recent
from worker.engine.decode.settings import Settings


def remembering(count: int) -> Settings:
    return Settings(repeat_penalty=1.1, repeat_last_n=count)


def counts(recent: Recent) -> list[dict[int, int]]:
    """How often each row's window counts each id."""
    rows: list[dict[int, int]] = []
    windows = cast("list[list[int]]", recent.window().tolist())
    for ids, weights in zip(windows, cast("list[list[float]]", recent.weights().tolist()), strict=True):
        row: dict[int, int] = {}
        for token, weight in zip(ids, weights, strict=True):
            row[token] = row.get(token, 0) + int(weight)
        rows.append(row)
    return rows


def plain(ids: list[int], count: int) -> dict[int, int]:
    window = ids[-count:]
    return {token: window.count(token) for token in window}


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    rows=some.lists(
        some.tuples(some.lists(some.integers(0, 9), min_size=1, max_size=12), some.integers(1, 7)),
        min_size=1,
        max_size=4,
    ),
    pushed=some.lists(some.integers(0, 9), max_size=12),
)
def test_a_window_is_the_last_ids(rows: list[tuple[list[int], int]], pushed: list[int]) -> None:
    """Each row's last n, of prompt and completion alike, each as often as it stands there."""
    recent = Recent.of([(ids, remembering(count)) for ids, count in rows])

    recent.push(mx.array([ids[-1] for ids, _ in rows]))
    for token in pushed:
        recent.push(mx.array([token] * len(rows)))

    assert counts(recent) == [plain(ids + pushed, count) for ids, count in rows]


def test_rows_keep_their_windows_when_others_join_and_leave() -> None:
    """Joining a wider ring and losing it again changes no other row's window."""
    recent = Recent.of([([1, 2, 3], remembering(2))])
    recent.push(mx.array([3]))

    joined = recent.joined(Recent.of([(list(range(9)), remembering(8))]))
    joined.push(mx.array([4, 8]))
    kept = joined.kept([0])

    assert counts(joined) == [{3: 1, 4: 1}, dict.fromkeys(range(1, 9), 1)]
    assert counts(kept) == [{3: 1, 4: 1}]
    assert kept.window().shape == (1, 2)
