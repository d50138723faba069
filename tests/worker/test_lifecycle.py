"""A worker's life: what the table says, and that its page says the same."""

from pathlib import Path

import pytest

from worker.lifecycle import HAPPENINGS, TABLE, Happening, Illegal, State, after, drawn

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_a_life_is_the_table_and_nothing_else(state: State, happening: Happening) -> None:
    """What the table has not is a mistake of ours, and raises."""
    if happening in TABLE[state]:
        assert after(state, happening) == TABLE[state][happening]
    else:
        with pytest.raises(Illegal):
            after(state, happening)


def test_a_worker_whose_engine_died_claims_again_only_when_it_is_up() -> None:
    """The round from ready over loading to ready."""
    assert after(after("ready", "engine_died"), "engine_ready") == "ready"


def test_a_model_comes_and_goes_while_its_worker_stays() -> None:
    """The round from standby over loading and ready back; a load that is given up ends there, too."""
    assert after(after(after("standby", "load"), "engine_ready"), "unload") == "standby"
    assert after(after("standby", "load"), "unload") == "standby"


def test_every_state_can_be_drained() -> None:
    """SIGTERM is never illegal, and never brings a worker back to work."""
    assert {after(state, "drain") for state in TABLE} == {"draining", "gone"}


def test_the_page_is_drawn_from_the_table() -> None:
    """Who reads docs/lifecycle.md reads the code."""
    assert drawn() in PAGE.read_text("utf-8")
