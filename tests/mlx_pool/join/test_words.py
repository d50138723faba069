"""What is said of the pool, the model and the way on."""

from mlx_pool.join import words
from mlx_pool.join.fit import Room
from shared.supply import Source, Supply

from .cases import LIVE, seen


def test_the_pool_is_told_by_who_serves_the_model() -> None:
    """Or that nobody does; names of others never steer the terminal."""
    assert words.about_pool("mac-1:6379", "a", seen("a", "b")) == (
        "pool at mac-1:6379: 1 worker(s) serve a, with 16 seats; 2 job(s) wait (and b)"
    )
    assert "nobody serves old now" in words.about_pool("h:1", "old", seen(idle=("old",)))
    assert "\x1b" not in words.about_pool("h:1", "new\x1b", seen("a"))


def test_other_versions_and_clocks_are_told_of() -> None:
    """What is equal, or near enough, is not worth a word."""
    (skew,) = words.warnings_of(seen("a"), "2.0")
    (clock,) = words.warnings_of(seen("a", clock_ahead_ms=-7_000), "1.0")

    assert "run mlx-pool 1.0, this machine 2.0" in skew
    assert "7 s behind" in clock
    assert not list(words.warnings_of(seen("a", clock_ahead_ms=900), "1.0"))


def test_a_model_is_told_by_its_need_of_memory() -> None:
    """One that can't be served here is named with what would be possible."""
    room = Room(queue="m", present=False, memory_mb=40_000, possible_mb=18_000)

    assert words.about_model(Room(queue="m", present=True)) == "m is here"
    assert words.about_model(room).startswith("m will be fetched, needs about 40.0 GB")
    assert room.is_too_large
    assert "may have 18.0 GB here" in words.too_large(room)


def test_machines_that_give_the_model_are_named() -> None:
    """By their hosts, as the person knows them, and shown clean; one that is here comes from nowhere."""
    room = Room(queue="m", present=False)
    sources = tuple(Source(id=each, urls=(), token="secret") for each in ("mac-1.47", "mac\x1b[2J.1"))
    supply = Supply(queue="m", digest="", bytes=1, fingerprint="", sources=sources)

    assert words.about_model(room, supply) == "m will be fetched from mac-1, mac·[2J"
    assert words.about_model(room) == "m will be fetched"


def test_the_way_to_stay_holds_no_address() -> None:
    """It is asked for again, so that no shell's history keeps it."""
    assert "`mlx-pool join --stay --model m`" in words.how_to_stay(("--model", "m"))


def test_what_serves_is_told_with_its_seats() -> None:
    """One that stands by for its model waits."""
    assert words.ready_line(LIVE, 1.23) == "ready after 1.2 s: mac.1.ab serves  with 16 seats"
