"""When silence is looked into, on values."""

from gateway.silence import GIVE_UP_AFTER_S, Silence


def looks_until(silence: Silence, end_s: float) -> list[float]:
    """The times of looks, each answered, at a tick of 0.1 s."""
    looks: list[float] = []
    for tick in range(round(end_s * 10) + 1):
        if silence.is_long(tick / 10):
            silence.look(tick / 10, has_answer=True)
            looks.append(tick / 10)
    return looks


def test_each_look_waits_longer_up_to_five_seconds() -> None:
    """A lost end is found out quickly; a job that waits for an hour costs a look every five seconds."""
    assert looks_until(Silence(0), 22.5) == [0.5, 1.5, 3.5, 7.5, 12.5, 17.5, 22.5]


def test_an_event_makes_the_watch_impatient_again() -> None:
    """After every event the next silence is looked into after half a second."""
    silence = Silence(0)
    looks_until(silence, 10)

    silence.end(10)

    assert not silence.is_long(10.4)
    assert silence.is_long(10.5)


def test_hope_ends_a_minute_after_the_last_answer() -> None:
    """Looks without an answer do not keep a client waiting for ever."""
    silence = Silence(0)
    silence.look(5, has_answer=True)
    silence.look(30, has_answer=False)

    assert not silence.is_hopeless(4.9 + GIVE_UP_AFTER_S)
    assert silence.is_hopeless(5 + GIVE_UP_AFTER_S)
