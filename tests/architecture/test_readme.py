"""What the two READMEs have in common with each other, with the command and with the Makefile."""

import re
from collections.abc import Iterator

import pytest

from mlx_pool.commands import COMMANDS

from .source import ROOT

ENGLISH, KOREAN, CONTRIBUTING = "README.md", "README.ko.md", "CONTRIBUTING.md"
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def test_the_readmes_have_the_same_headings() -> None:
    """One has no chapter that the other lacks, and each is as deep."""
    assert list(_levels(KOREAN)) == list(_levels(ENGLISH))


def test_the_readmes_have_the_same_code() -> None:
    """What is typed and what comes back is not translated."""
    assert _CODE.findall(_text(KOREAN)) == _CODE.findall(_text(ENGLISH))


def test_the_readmes_name_the_same_commands() -> None:
    """Whatever stands in the running text as code stands in both, as often."""
    assert sorted(_spans(KOREAN)) == sorted(_spans(ENGLISH))


def test_the_readmes_lead_to_the_same_places() -> None:
    """A link is in both, but for those from one to the other."""
    assert _links(KOREAN) - {ENGLISH} == _links(ENGLISH) - {KOREAN}


def test_the_readmes_tables_are_as_long() -> None:
    """A row that one gets, the other gets, too."""
    rows = {
        name: [line.count("|") for line in _text(name).splitlines() if line[:1] == "|"] for name in (KOREAN, ENGLISH)
    }

    assert rows[KOREAN] == rows[ENGLISH]


def test_the_readme_names_every_command() -> None:
    """All that `mlx-pool --help` lists, and nothing else."""
    assert _commands(ENGLISH) == {command.name for command in COMMANDS}


@pytest.mark.parametrize("name", [ENGLISH, CONTRIBUTING])
def test_what_is_said_of_make_can_be_made(name: str) -> None:
    """Each `make …` is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))

    named = set(
        re.findall(r"(?:^|`| )make ([a-z-]+)", "\n".join([*_spans(name), *_CODE.findall(_text(name))]), re.MULTILINE)
    )

    assert named
    assert named <= targets


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _prose(name: str) -> str:
    return _CODE.sub("", _text(name))


def _levels(name: str) -> Iterator[int]:
    return (len(marks) for marks in re.findall(r"^(#+) ", _prose(name), re.MULTILINE))


def _spans(name: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", _prose(name))


def _links(name: str) -> set[str]:
    return set(re.findall(r"\]\(([^)\s]+)\)", _prose(name)))


def _commands(name: str) -> set[str]:
    return {span.split()[1] for span in _spans(name) if re.match(r"mlx-pool [a-z]", span)}
