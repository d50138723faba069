"""Environments as trees of files, that take each other's place."""

import os
from pathlib import Path

import pytest

from mlx_pool.upgrade.trees import Beside, copy, settle_scripts, swap


@pytest.fixture
def beside(tmp_path: Path) -> Beside:
    """An environment with a module, a command and an interpreter."""
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "lib").mkdir()
    (prefix / "lib/module.py").write_text("old")
    (prefix / "bin/python").symlink_to("/usr/bin/env")
    (prefix / "bin/mlx-pool").write_text(f"#!{prefix}/bin/python\nimport mlx_pool\n")
    (prefix / "bin/mlx-pool").chmod(0o755)
    return Beside(prefix)


def replace(path: Path, text: str) -> None:
    """Write as installers do: another file takes the place of the one that is there."""
    path.unlink()
    path.write_text(text)


def test_a_copy_takes_no_room_and_keeps_what_the_other_loses(beside: Beside) -> None:
    """Its files are the same files, until an installer puts others in their place."""
    copy(beside.prefix, beside.next)
    same = (beside.prefix / "lib/module.py").samefile(beside.next / "lib/module.py")

    replace(beside.next / "lib/module.py", "new")

    assert same
    assert (beside.prefix / "lib/module.py").read_text() == "old"
    assert (beside.next / "bin/python").is_symlink()


def test_the_next_takes_the_place_and_the_way_back_is_the_same(beside: Beside) -> None:
    """Nothing is left beside it but the copy of what was before."""
    copy(beside.prefix, beside.before)
    copy(beside.prefix, beside.next)
    replace(beside.next / "lib/module.py", "new")

    swap(beside)
    then = (beside.prefix / "lib/module.py").read_text()
    copy(beside.before, beside.next)
    swap(beside)

    assert (then, (beside.prefix / "lib/module.py").read_text()) == ("new", "old")
    assert sorted(path.name for path in beside.prefix.parent.iterdir()) == [".env.before", "env"]


def test_commands_that_were_installed_beside_it_call_the_interpreter_in_its_place(beside: Beside) -> None:
    """An installer writes the path that it sees, which is not the one that they will have."""
    copy(beside.prefix, beside.next)
    replace(beside.next / "bin/mlx-pool", f"#!{beside.next}/bin/python\nimport mlx_pool\n")
    (beside.next / "bin/mlx-pool").chmod(0o755)

    settle_scripts(beside)

    told = beside.next / "bin/mlx-pool"
    assert told.read_text() == (beside.prefix / "bin/mlx-pool").read_text()
    assert os.access(told, os.X_OK)


def test_a_copy_takes_the_place_of_what_an_interrupted_upgrade_has_left(beside: Beside) -> None:
    """No half of another version is mixed into it."""
    (beside.next / "lib").mkdir(parents=True)
    (beside.next / "lib/left.py").touch()

    copy(beside.prefix, beside.next)

    assert not (beside.next / "lib/left.py").exists()
