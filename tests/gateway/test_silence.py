"""When silence is looked into, on values."""

from gateway.silence import GIVE_UP_AFTER_S, MOST_FIRST_S, Silence


def looks_until(silence: Silence, end_s: float) -> list[float]:
    """The times of looks, each answered, at a tick of 0.1 s."""
    looks: list[float] = []
    for tick in range(round(end_s * 10) + 1):
        if silence.look_at <= tick / 10:
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

    assert silence.look_at == 10.5


def test_a_slow_stream_is_given_twice_its_last_pause() -> None:
    """Ten thousand streams of a token a second would else be asked about between any two. A burst is not slow."""
    looks: list[float] = []
    silence = Silence(0)

    for heard_at in (30, 31, 31.1, 40):  # what it waited before the first event was no pause
        silence.end(heard_at)
        looks.append(round(silence.look_at - heard_at, 3))

    assert looks == [0.5, 2.0, 0.5, MOST_FIRST_S]


def test_a_client_that_hears_nothing_gets_a_sign_every_ten_seconds() -> None:
    """Whatever it hears is one."""
    silence = Silence(0)
    signs = [silence.sign_at]

    silence.sign(10)
    signs.append(silence.sign_at)
    silence.end(13)
    signs.append(silence.sign_at)

    assert signs == [10, 20, 23]


def test_hope_ends_a_minute_after_the_last_answer() -> None:
    """Looks without an answer do not keep a client waiting for ever."""
    silence = Silence(0)
    silence.look(5, has_answer=True)
    silence.look(30, has_answer=False)

    assert not silence.is_hopeless(4.9 + GIVE_UP_AFTER_S)
    assert silence.is_hopeless(5 + GIVE_UP_AFTER_S)
