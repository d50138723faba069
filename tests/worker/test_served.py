"""What an agent knows of its engine's prompt cache."""

from worker.engine.wire import Cached
from worker.served import Served


def test_what_is_stored_is_served_until_it_is_evicted() -> None:
    """Whatever else is said of others, and in one line."""
    served = Served()

    served.hear(Cached(stored=["a", "b"]))
    served.hear(Cached(stored=["c"], evicted=["a", "unknown"]))

    assert served.hashes == {"b", "c"}


def test_a_new_engine_serves_nothing() -> None:
    """Its cache died with the old one."""
    served = Served()
    served.hear(Cached(stored=["a"]))

    served.clear()

    assert served.hashes == set()
