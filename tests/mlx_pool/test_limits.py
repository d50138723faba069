import pytest

from mlx_pool.failure import Unusable
from mlx_pool.limits import parse_changes


def test_changes_are_names_and_numbers() -> None:
    """Several limits can be set by one command."""
    assert parse_changes(["waiting=2000", "retention_ms=60000"]) == {"waiting": 2_000, "retention_ms": 60_000}


@pytest.mark.parametrize("word", ["waiting", "waiting=", "waiting=many", "waiting=-1", "=1="])
def test_anything_else_is_refused_with_an_example(word: str) -> None:
    """A limit is never set to something that was not meant."""
    with pytest.raises(Unusable, match="waiting=2000"):
        parse_changes([word])
