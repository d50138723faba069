"""Whether what was started anew is well."""

import msgspec
import pytest

from mlx_pool.upgrade.health import Seen, Verdict, Watch

from .cases import WANTED, seen, view

WELL = seen(view("mac-1.41.aa"))


def judged(*looks: tuple[float, Seen]) -> Verdict:
    """What a watch says after the last of these looks."""
    watch = Watch(WANTED, 0.0)
    return [watch.judge(each, now_s) for now_s, each in looks][-1]


def test_it_is_well_once_it_has_stayed_so_for_a_while() -> None:
    """Ready, in its queue, with the new version, and the same process all the time."""
    assert judged((1, WELL)).state == "waiting"
    assert judged((1, WELL), (11, WELL)) == Verdict("well", "mac-1.41.aa serves qwen3-4b with 2.0")


def test_one_that_stands_by_for_its_model_is_well() -> None:
    """It loads it when a job waits."""
    assert judged((1, look := seen(view("mac-1.41.aa", state="standby"))), (11, look)).state == "well"


def test_one_that_was_started_again_has_to_stay_anew() -> None:
    """Another process is another beginning."""
    again = seen(view("mac-1.42.bb"), pids=(42,))

    assert judged((1, WELL), (9, again), (12, again)).state == "waiting"
    assert judged((1, WELL), (9, again), (20, again)).state == "well"


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (seen(keeper="stopped"), "does not run"),
        (seen(view("mac-1.41.aa"), answers=False), "does not answer"),
        (seen(trouble="Redis does not answer."), "Redis does not answer."),
        (seen(), "sees 0 of 1"),
        (seen(view("mac-1.41.aa", state="loading", progress=0.5)), "is loading 50%"),
        (seen(view("mac-1.41.aa", version="1.0")), "runs 1.0, not 2.0"),
        (seen(view("mac-1.41.aa"), queue="other"), "does not serve qwen3-4b"),
    ],
)
def test_what_is_missing_is_waited_for_and_then_told(look: Seen, told: str) -> None:
    """Until the limit it may come; after it, it is what was wrong."""
    early, late = judged((1, look)), judged((1, look), (301, look))

    assert (early.state, late.state) == ("waiting", "ill")
    assert told in early.words
    assert told in late.words


@pytest.mark.parametrize(
    "look",
    [
        seen(keeper="failed", pids=()),
        seen(view("mac-1.41.aa", engine_deaths=1)),
        seen(view("mac-1.41.aa", state="sick")),
    ],
)
def test_what_does_not_mend_by_waiting_is_told_at_once(look: Seen) -> None:
    """An engine that dies, or a part that can't work as it was told to."""
    assert judged((1, look)).state == "ill"


def test_one_that_ends_each_time_is_ill_at_the_fourth() -> None:
    """Whoever keeps it starts it again and again; that need not be watched to the limit."""
    starts = [(float(number), seen(pids=(40 + number,))) for number in range(4)]

    assert judged(*starts[:3]).state == "waiting"
    assert judged(*starts) == Verdict("ill", "it was started 4 times, and ended each time")


def test_one_that_nobody_starts_any_more_is_ill() -> None:
    """A pause between two starts is shorter."""
    nobody = seen(pids=())

    assert judged((1, WELL), (2, nobody), (45, nobody)) == Verdict("waiting", "0 of 1 processes run")
    assert judged((1, WELL), (2, nobody), (47, nobody)) == Verdict("ill", "nothing of it has run for 46 s")


def test_a_gateway_is_well_when_it_answers() -> None:
    """It has no place in the queues."""
    wanted = msgspec.structs.replace(WANTED, workers=0, queues=frozenset[str](), version=None)
    watch = Watch(wanted, 0.0)

    assert watch.judge(seen(), 1).state == "waiting"
    assert watch.judge(seen(), 11) == Verdict("well", "runs and answers")


def test_several_workers_of_one_service_have_to_be_well_all() -> None:
    """One that is missing is waited for."""
    watch = Watch(msgspec.structs.replace(WANTED, workers=2), 0.0)
    both = (view("mac-1.41.aa"), view("mac-1.42.bb"))

    assert "1 of 2" in watch.judge(seen(both[0], pids=(41, 42)), 1).words
    assert watch.judge(seen(*both, pids=(41, 42)), 2).words.startswith("it is there")
