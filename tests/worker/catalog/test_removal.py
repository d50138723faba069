"""Models are removed from our own folders only, wholly, and never from under a worker."""

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from shared.errors import Refused
from worker.catalog.progress import untold
from worker.catalog.removal import find_removable, is_served, remove, size_bytes

Put = Callable[[Path], Path]


def find(name: str, models_dir: Path) -> Path:
    """Find what to remove, with nothing else in the environment."""
    return find_removable(name, [models_dir], {"HOME": str(models_dir.parent)})


def test_a_model_goes_with_all_its_files(models_dir: Path, put_model: Put) -> None:
    """By its name, by the hub's id, or by its path; nothing is left but the lock."""
    folder = put_model(models_dir / "org--model")
    assert find("org/model", models_dir) == find("org--model", models_dir) == find(str(folder), models_dir) == folder

    remove(folder, untold)

    assert [path.name for path in models_dir.iterdir()] == [".locks"]


def test_half_a_download_and_a_broken_folder_can_be_removed(models_dir: Path) -> None:
    """What is no model takes disk all the same."""
    (models_dir / ".org--model.partial").mkdir()
    (models_dir / ".org--model.partial" / "shard").write_bytes(bytes(1000))
    (models_dir / ".mine.from-pool").mkdir()
    (models_dir / "broken").mkdir()
    assert size_bytes(find("org/model", models_dir)) == 1000

    for name in ("org/model", "mine", "broken"):
        remove(find(name, models_dir), untold)

    assert [path.name for path in models_dir.iterdir()] == [".locks"]


def test_what_is_linked_stays(models_dir: Path, put_model: Put) -> None:
    """The links go, the files they led to are another's."""
    elsewhere = put_model(models_dir.parent / "elsewhere")
    (models_dir / "linked").mkdir()
    for path in elsewhere.iterdir():
        (models_dir / "linked" / path.name).symlink_to(path)
    assert size_bytes(models_dir / "linked") == 0

    remove(find("linked", models_dir), untold)

    assert len(list(elsewhere.iterdir())) == 2
    assert not (models_dir / "linked").exists()


def test_other_programs_models_are_not_ours(models_dir: Path, put_model: Put) -> None:
    """A folder elsewhere is used and never removed; what is not here is told so."""
    elsewhere = put_model(models_dir.parent / "elsewhere")

    for name, why in ((str(elsewhere), "not mlx-pool's"), ("qwen3-4b", "is not on this"), ("x", "no model named")):
        with pytest.raises(Refused, match=why):
            find(name, models_dir)


def test_a_model_that_is_served_stays(models_dir: Path, put_model: Put) -> None:
    """An engine reads its weights when it starts again."""
    folder = put_model(models_dir / "m")
    # A process that looks like an engine, and waits for its input to end.
    line = [sys.executable, "-c", "input()", "-m", "worker.engine", "--model", str(folder), "--slots", "1"]
    with Popen(line, stdin=PIPE, stderr=PIPE) as engine:
        with pytest.raises(Refused, match="A worker serves"):
            remove(folder, untold)
        engine.kill()

    assert folder.is_dir()


@pytest.mark.parametrize(
    ("command", "is_it"),
    [
        ("python -P -m worker.engine --model /models/m --slots 16", True),
        ("python -P -m worker.engine --model /models/base --adapter /models/m", True),
        ("python -P -m worker.engine --model /models/m2", False),
        ("ls --model /models/m", False),
    ],
)
def test_an_engine_is_known_by_its_command(command: str, *, is_it: bool) -> None:
    """Its model or its adapter is the folder, and not one whose name only begins alike."""
    assert is_served(Path("/models/m"), [command]) is is_it
