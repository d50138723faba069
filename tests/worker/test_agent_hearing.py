"""What the engine says and to whom it belongs: late lines are dropped, strange prompts end a job, figures are kept."""

from typing import Literal

import pytest

from shared.claims import Claimed
from shared.event import Error, Token, decode_event
from worker.book import Book
from worker.engine import wire
from worker.hearing import Hearing
from worker.run import Past, Run
from worker.served import Served


class Scene:
    """A book with one run in it, and the runs that were silenced."""

    def __init__(self, past: Past | None = None) -> None:
        self.book = Book()
        self.silenced: list[Run] = []
        self.served = Served()
        self.hearing = Hearing(self.book, "mac.1.ab", served=self.served, silence=self.silenced.append)
        self.run = Run(
            Claimed("job", 1, "std:1-1", b"{}", 0, 9, 1, "", "", "", 1), "job/1/1", prompt_tokens_estimate=100
        )
        self.run.past = past or Past()
        self.book.open(self.run)

    def told(self) -> list[object]:
        """The events that would be flushed now."""
        return [decode_event(data) for data in self.run.take().events]


def started(prompt_hash: str = "h", *, cached_tokens: int = 0) -> wire.Started:
    return wire.Started(id="job/1/1", prompt_tokens=40, prompt_hash=prompt_hash, cached_tokens=cached_tokens)


def test_a_run_hears_what_is_said_of_it() -> None:
    """Its tokens become its events, in order."""
    scene = Scene()

    scene.hearing.hear([wire.Token(id="job/1/1", content="a", tokens=[1]), wire.Token(id="job/1/1", tokens=[2])])

    assert scene.told() == [Token(seq=1, content="a", tokens=[1, 2])]


def test_lines_of_a_run_that_is_not_held_any_more_are_dropped() -> None:
    """A fenced generation's tokens can't land under the job's next attempt: the pipe's ids are never reused."""
    scene = Scene()

    scene.hearing.hear([wire.Token(id="job/1/0", content="stale", tokens=[1]), wire.Error(id="", code="x", message="")])

    assert scene.told() == []


def test_a_prompt_that_is_read_differently_ends_the_job() -> None:
    """Another template or tokenizer than the first attempt's: rather an error than a text with a seam."""
    scene = Scene(Past((1, 2), "the first one's", 7))

    scene.hearing.hear([started("another"), wire.Token(id="job/1/1", content="a", tokens=[3])])

    (end,) = scene.told()
    assert isinstance(end, Error)
    assert end.code == "stream_diverged"
    assert scene.silenced == [scene.run]


def test_what_is_left_of_the_prefill_is_followed() -> None:
    """It decides whether to claim more: cached tokens are done, resumed ones are prompt, the first token ends it."""
    scene = Scene(Past((1, 2), "h", 7))
    left = [scene.run.prefill_left]

    for reply in (
        started(cached_tokens=10),
        wire.Prefill(id="job/1/1", done=30, total=42),
        wire.Token(id="job/1/1", tokens=[3]),
    ):
        scene.hearing.hear([reply])
        left.append(scene.run.prefill_left)

    assert left == [100, 32, 12, 0]


def test_a_run_handed_back_is_no_longer_the_engines() -> None:
    """It stays in the book until Redis has all that it said; whether it had the engine to itself is kept."""
    scene = Scene()

    scene.hearing.hear([wire.Token(id="job/1/1", content="a", tokens=[1]), wire.HandedBack(id="job/1/1", alone=True)])

    assert (scene.run.is_in_engine, scene.run.has_no_room, scene.run.prefill_left) == (False, True, 0)
    assert scene.book.find("job/1/1") is scene.run
    assert scene.told() == [Token(seq=1, content="a", tokens=[1])]


@pytest.mark.parametrize(("pressure", "is_short"), [("", False), ("soft", True), ("hard", True)])
def test_an_engine_short_of_memory_is_loaded(pressure: Literal["", "soft", "hard"], is_short: bool) -> None:
    """What decides whether to claim more is what it said last."""
    scene = Scene()

    scene.hearing.hear([wire.Stats(slots=4, busy=1, prefill_tokens_per_second=9.0, pressure=pressure)])

    load = scene.hearing.load(slots=4)
    assert (load.is_short_of_memory, load.prefill_tokens_per_second, load.held) == (is_short, 9.0, 1)


def test_what_the_prompt_cache_serves_is_part_of_the_load() -> None:
    """What decides which job to claim knows it as it is at that moment."""
    scene = Scene()

    scene.hearing.hear([wire.Cached(stored=["a", "b"]), wire.Cached(stored=["c"], evicted=["a"])])

    assert scene.hearing.load(slots=4).cached == {"b", "c"} == scene.served.hashes


def test_the_last_figures_are_kept() -> None:
    """What a beat tells of the engine is what the engine said last."""
    scene = Scene()

    scene.hearing.hear([wire.Stats(slots=4, busy=1), wire.Stats(slots=4, busy=2)])

    assert scene.hearing.stats == wire.Stats(slots=4, busy=2)
