"""Which model a machine serves that joins."""

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.join.choice import Wish, chosen_model, watched_queue, worker_flags
from mlx_pool.join.pool import Seen

from .cases import seen


def fits() -> dict[str, str]:
    return {"small": "fits", "large": "too large"}


def test_the_only_model_that_is_served_is_taken() -> None:
    """One that only has a queue from earlier days does not make it a question, unless nobody serves anything."""
    assert chosen_model(Wish(), seen("a"), fits) == "a"
    assert chosen_model(Wish(), seen("a", idle=("old",)), fits) == "a"
    assert chosen_model(Wish(), seen(idle=("old",)), fits) == "old"


def test_what_was_asked_for_wins() -> None:
    """Also where the pool does not serve it yet; on demand alone nothing is loaded from the start."""
    assert chosen_model(Wish(model="b"), seen("a"), fits) == "b"
    assert chosen_model(Wish(on_demand="b,c"), seen("a"), fits) is None


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (seen("small", "large"), r"small \(fits this machine\)|large \(too large for this machine\)"),
        (seen(), "no model yet"),
        (Seen(models=None), "may not see"),
    ],
)
def test_where_it_is_not_clear_it_has_to_be_said(pool: Seen, said: str) -> None:
    """With what fits this machine, where there is a choice."""
    with pytest.raises(Unusable, match=said):
        chosen_model(Wish(), pool, fits)


def test_the_worker_is_told_what_was_wished_and_no_address() -> None:
    """What nobody asked for is left to the worker's own defaults."""
    wish = Wish(engine="scripted", slots=4, name="mac-9")

    assert worker_flags(wish, "m") == ("--model", "m", "--engine", "scripted", "--slots", "4", "--name", "mac-9")
    assert worker_flags(Wish(on_demand="a,b=12"), None) == ("--on-demand", "a,b=12")


def test_the_worker_is_seen_in_its_models_queue() -> None:
    """A folder's is its name; of models on demand the first one's."""
    assert watched_queue(Wish(), "./models/mine") == "mine"
    assert watched_queue(Wish(), "./models/mine", "other") == "other"
    assert watched_queue(Wish(on_demand="a=12, b"), None) == "a"
