"""A peer that can't be installed is told of in a line; it spoils no measurement of the others."""

import sys
from pathlib import Path

import pytest

from bench.contenders.contender import Unavailable
from bench.contenders.own_environment import Needs, programs_of

NEEDS = Needs(name="peer", packages=("one==1",), left_out=("two",), as_of="2026-11-21T00:00:00Z")


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A uv that writes down what it was asked, makes no environment, and fails where a file `fails` lies beside it."""
    program = tmp_path / "uv"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\nhere = pathlib.Path({str(tmp_path)!r})\n"
        "with (here / 'asked').open('a') as asked: asked.write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == 'venv': pathlib.Path(sys.argv[-1]).mkdir(parents=True, exist_ok=True)\n"
        "if (here / 'fails').exists(): sys.exit('no wheel for this platform')\n"
    )
    program.chmod(0o700)
    monkeypatch.setenv("UV", str(program))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_an_environment_is_made_once(uv: Path) -> None:
    """It takes minutes and the network; later runs find it."""
    first = programs_of(NEEDS)
    asked = (uv / "asked").read_text()

    assert programs_of(NEEDS) == first
    assert (uv / "asked").read_text() == asked
    assert "one==1" in asked


def test_other_needs_are_another_environment(uv: Path) -> None:
    """A peer of a newer version is not measured as the older one."""
    programs_of(NEEDS)

    programs_of(Needs(name="peer", packages=("one==2",), left_out=(), as_of=NEEDS.as_of))

    assert "one==2" in (uv / "asked").read_text()


def test_a_peer_that_does_not_install_is_unavailable_and_says_why(uv: Path) -> None:
    """And is tried again the next time."""
    (uv / "fails").touch()

    with pytest.raises(Unavailable, match="no wheel for this platform"):
        programs_of(NEEDS)

    (uv / "fails").unlink()
    assert programs_of(NEEDS).name == "bin"
