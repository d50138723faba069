"""Guesses at what comes next, from what came before; and when to leave them."""

from worker.engine.decode.guessing import Guessing
from worker.engine.decode.lookup import Lookup


def test_what_followed_the_same_ids_is_guessed() -> None:
    """The latest place wins, and the guess is as long as was asked for, at most."""
    lookup = Lookup([1, 2, 3, 4, 5, 9, 1, 2, 3, 4, 6, 7, 1, 2, 3, 4])

    assert list(lookup.guess(3)) == [6, 7, 1]
    assert list(lookup.guess(100)) == [6, 7, 1, 2, 3, 4]


def test_more_ids_in_common_are_surer() -> None:
    """Of two places the one whose last four ids fit is taken, also when it is the older one."""
    lookup = Lookup([1, 2, 3, 4, 50, 8, 8, 3, 4, 60, 1, 2, 3, 4])

    assert list(lookup.guess(1)) == [50]


def test_what_never_stood_there_is_not_guessed() -> None:
    """One id in common is chance."""
    assert list(Lookup([1, 2, 3, 4, 5, 6, 1]).guess(4)) == []
    assert list(Lookup([]).guess(4)) == []


def test_ids_that_come_later_are_known_too() -> None:
    """An answer that repeats itself is guessed from itself; a row of one and the same id goes on."""
    lookup = Lookup([7])
    lookup.extend([7, 7, 7])

    assert list(lookup.guess(2)) == [7]


def test_guesses_that_hold_grow_and_those_that_fail_shrink() -> None:
    """All right: twice as long. Partly right: as long as it was right."""
    guessing = Guessing()
    guessing.note_plain(0.1)
    assert guessing.most == 3

    guessing.note_guessed(0.1, guessed=3, drawn=4)
    assert guessing.most == 7
    guessing.note_guessed(0.1, guessed=7, drawn=5)
    assert guessing.most == 5


def test_guesses_that_cost_more_than_they_bring_stop_for_longer_each_time() -> None:
    """Sixteen plain steps, then one more try, then thirty-two."""
    guessing = Guessing()
    guessing.note_plain(0.1)

    pauses: list[int] = []
    for _ in range(3):
        guessing.note_guessed(0.3, guessed=3, drawn=1)
        pauses.append(0)
        while not guessing.most:
            guessing.note_plain(0.1)
            pauses[-1] += 1

    assert pauses == [16, 32, 64]


def test_guesses_that_pay_are_kept_up() -> None:
    """Two ids in the time of one and a half."""
    guessing = Guessing()
    guessing.note_plain(0.1)

    for _ in range(100):
        guessing.note_guessed(0.15, guessed=3, drawn=2)

    assert guessing.most > 0
