"""A worker's life: what the table says, and that its page says the same."""

from pathlib import Path

import pytest

from worker.lifecycle import TABLE, Happening, Illegal, State, after, drawn

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


@pytest.mark.parametrize(
    ("state", "happening", "next_state"),
    [
        ("loading", "engine_ready", "ready"),
        ("ready", "engine_died", "loading"),
        ("ready", "drain", "draining"),
        ("draining", "empty", "gone"),
        ("loading", "drain", "gone"),
    ],
)
def test_a_worker_goes_its_way(state: State, happening: Happening, next_state: State) -> None:
    """Loading, ready, draining, gone; an engine's death leads back to loading."""
    assert after(state, happening) == next_state


def test_what_the_table_does_not_have_raises() -> None:
    """A worker can't become empty before it drains: that is a mistake of ours, and it is loud."""
    with pytest.raises(Illegal, match="empty in state ready"):
        after("ready", "empty")


def test_every_state_can_be_left_for_good() -> None:
    """Whatever a worker is doing, it can be told to stop."""
    for state, row in TABLE.items():
        assert row["drain"] in {"draining", "gone"}, state


def test_the_page_is_drawn_from_the_table() -> None:
    """Who reads docs/lifecycle.md reads the code."""
    assert drawn() in PAGE.read_text("utf-8")
