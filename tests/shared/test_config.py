"""Configuration: flags before environment before defaults, every mistake at once, secrets never shown."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from shared.config import ConfigError, HelpWanted, Option, read_config


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a process of these tests can be told.

    Not shown in its help.
    """

    url: Annotated[str, Option("where it is", flag="--redis", env="REDIS_URL", is_secret=True)]
    slots: Annotated[int, Meta(ge=1, le=8), Option("jobs at once")] = 4
    pace: float = 0.5
    level: Annotated[Literal["info", "debug"], Option("how much is logged")] = "info"
    is_open: Annotated[bool, Option("open to others")] = False
    name: Annotated[str, Option("its name")] = ""


def read(*argv: str, **env: str) -> Settings:
    return read_config(Settings, argv, env, prog="a-part")


def mistakes(*argv: str, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        read(*argv, **env)
    return str(error.value).splitlines()


def test_defaults_are_for_what_nobody_said() -> None:
    """Only what has no default must be given."""
    assert read("--redis", "r") == Settings(url="r")


def test_a_flag_wins_over_the_environment() -> None:
    """What is typed now counts more than what was exported once."""
    settings = read("--slots", "2", REDIS_URL="r", MLX_POOL_SLOTS="3", MLX_POOL_PACE="1.5")

    assert (settings.slots, settings.pace) == (2, 1.5)


@pytest.mark.parametrize("argv", [("--slots=2",), ("--slots", "2")])
def test_a_flag_may_be_written_either_way(argv: tuple[str, ...]) -> None:
    """With a space or with an equals sign."""
    assert read(*argv, REDIS_URL="r").slots == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("--is-open",), True), (("--is-open=no",), False), (("--is-open=on",), True), ((), False)],
)
def test_a_switch_needs_no_value(words: tuple[str, ...], *, expected: bool) -> None:
    """Its flag alone turns it on; yes, no, on and off are understood too."""
    assert read(*words, REDIS_URL="r").is_open is expected


@pytest.mark.parametrize("word", ["on", "off", "yes", "no"])
def test_a_name_may_be_any_word(word: str) -> None:
    """Only switches read `on` as true: a machine can be called so."""
    assert read("--name", word, REDIS_URL="r").name == word


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    """Compose files pass empty strings for what nobody filled in; a flag may be empty on purpose."""
    assert read("--name", "", REDIS_URL="r", MLX_POOL_SLOTS="") == Settings(url="r")


def test_all_mistakes_are_told_at_once_each_by_its_name() -> None:
    """One run is enough to learn everything that is wrong, and where it came from."""
    told = mistakes("--slots", "9", "--levle", "debug", MLX_POOL_PACE="fast")

    assert len(told) == 5
    assert told[0] == "--levle: no such option; --help lists them"
    assert told[1] == "debug: no such option; --help lists them"
    assert told[2].startswith("--redis (or REDIS_URL) is missing")
    assert told[3].startswith("--slots='9': expected `int` <= 8")
    assert told[4].startswith("MLX_POOL_PACE='fast': expected `float`")


def test_a_pattern_is_told_in_the_words_of_its_help() -> None:
    """Nobody who mistypes a value wants to read a regular expression."""

    class Shaped(msgspec.Struct, frozen=True):
        alias: Annotated[str, Meta(pattern="^[^=]+=[^=]+$"), Option("NAME=MODEL")] = ""

    with pytest.raises(ConfigError) as error:
        read_config(Shaped, ["--alias", "x"], {}, prog="a-part")

    assert str(error.value) == "--alias='x': not as expected: NAME=MODEL"


def test_a_flag_without_its_value_is_a_mistake() -> None:
    """It must not swallow silence."""
    assert "--slots: a value is missing" in mistakes("--slots", REDIS_URL="r")


def test_a_secret_never_stands_in_a_message() -> None:
    """A password in a URL must not end up in a terminal's scroll-back."""

    class Secretive(msgspec.Struct):
        """Holds one."""

        url: Annotated[str, Meta(pattern="^redis"), Option("where", is_secret=True)]

    with pytest.raises(ConfigError) as error:
        read_config(Secretive, ["--url", "http://:secret@host"], {}, prog="a-part")

    assert str(error.value).startswith("--url=…: ")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_fits_a_screen(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line an option: flag, what it is for, its default, its variable; what is longer goes on below it."""
    monkeypatch.setenv("COLUMNS", "55")
    with pytest.raises(HelpWanted) as wanted:
        read(word)

    lines = str(wanted.value).splitlines()
    assert lines[:3] == ["usage: a-part [options]", "", "What a process of these tests can be told."]
    assert "  --slots    jobs at once (default: 4) [MLX_POOL_SLOTS]" in lines
    at = lines.index("  --level    how much is logged (default: info)")
    assert lines[at + 1] == "             [MLX_POOL_LEVEL]"
    assert max(map(len, lines)) <= 55
