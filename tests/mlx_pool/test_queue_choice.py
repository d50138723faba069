import pytest

from mlx_pool.failure import Unusable
from mlx_pool.queue_choice import choose_model


def test_the_only_queue_needs_no_name() -> None:
    """Where one model is served, nobody has to say which."""
    assert choose_model(None, {"tiny"}) == "tiny"
    assert choose_model("tiny", {"tiny", "big"}) == "tiny"


@pytest.mark.parametrize(
    ("asked", "served", "said"),
    [
        (None, {"tiny", "big"}, "Which model.*: big, tiny"),
        ("tinny", {"tiny"}, "`tinny`.*: tiny"),
        (None, set[str](), "mlx-pool worker"),
    ],
)
def test_a_doubtful_name_is_refused_with_those_that_are_known(asked: str | None, served: set[str], said: str) -> None:
    """A mistyped name would be a queue that nobody reads."""
    with pytest.raises(Unusable, match=said):
        choose_model(asked, served)
