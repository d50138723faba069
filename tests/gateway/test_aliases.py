"""Which model a name means."""

import pytest

from gateway.aliases import meant_by, names_of, read_aliases
from gateway.settings import read_settings
from shared.config import ConfigError


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("tiny", "tiny"), ("gpt-x", "tiny"), ("unknown", "big"), ("big", "big"), ("*", "big")],
)
def test_a_served_name_is_itself_then_aliases_count_then_the_wildcard(asked: str, meant: str) -> None:
    """What is served can't be hidden by an alias."""
    aliases = read_aliases("gpt-x=tiny,tiny=big,*=big")

    assert meant_by(asked, {"tiny", "big"}, aliases) == meant


def test_without_an_alias_a_name_stays_what_it_is() -> None:
    """So the refusal can say it."""
    assert meant_by("gpt-x", {"tiny"}, read_aliases("")) == "gpt-x"


def test_names_are_told_once_served_ones_first() -> None:
    """Without the wildcard, which is no name, and without those that lead nowhere."""
    aliases = read_aliases("z=tiny,a=tiny,tiny=big,lost=elsewhere,*=tiny")

    assert names_of({"tiny", "big"}, aliases) == ["big", "tiny", "a", "z"]


@pytest.mark.parametrize("given", ["gpt-x", "=tiny", "gpt-x=", "a=b,", "a=b,,c=d", "a=b=c", "a b=c"])
def test_what_is_no_alias_is_a_mistake_of_the_operator(given: str) -> None:
    """Told before anything is served."""
    with pytest.raises(ConfigError, match="--model-alias"):
        read_settings(["--model-alias", given], {})


def test_aliases_come_by_flag_or_environment() -> None:
    """As every setting does."""
    assert read_settings(["--model-alias", "a=b,*=c"], {})[0].aliases == {"a": "b", "*": "c"}
    assert read_settings([], {"MLX_POOL_MODEL_ALIAS": "a=b"})[0].aliases == {"a": "b"}
