from mlx_pool.up.notice import Notice
from mlx_pool.up.repeats import Repeats


def test_what_is_said_again_and_again_is_shown_once_a_minute() -> None:
    """A Redis that is away for an hour does not push everything else off the screen."""
    now_s = 0.0
    repeats = Repeats(lambda: now_s)
    away, died = Notice("warning", "Redis is away"), Notice("error", "an engine died")

    shown = [repeats.is_news(each) for each in (away, away, died, away)]
    now_s = 61.0

    assert shown == [True, False, True, False]
    assert repeats.is_news(away)


def test_a_progress_is_always_news() -> None:
    """Its words stay, its share grows."""
    repeats = Repeats()

    assert all(repeats.is_news(Notice("progress", "download", share)) for share in (0.1, 0.2, 0.3))
