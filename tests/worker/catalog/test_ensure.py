"""A model that is missing is brought: whole or not at all, once, and with a message that helps where it can't be."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Fault, Refused
from worker.catalog.ensure import bring, create, ensure
from worker.catalog.entries import Hub
from worker.catalog.progress import untold
from worker.catalog.resolve import Resolved

from .fake_hub import FakeHub

Put = Callable[[Path], Path]
IMPORT = """
import sys
from worker.catalog.ensure import ensure
folder = ensure("smollm2-135m", lambda message, done: print(message, file=sys.stderr))
print(folder, (folder / "model.safetensors").stat().st_ino)
"""


def test_a_model_that_is_there_is_left_alone(models_dir: Path, put_model: Put) -> None:
    """Nothing is asked or written for a model that is present."""
    folder = put_model(models_dir / "mine")

    assert ensure("mine", untold, env={"MLX_POOL_MODELS": str(models_dir)}) == folder
    assert list(models_dir.iterdir()) == [folder]


def test_two_processes_at_once_bring_one_model(models_dir: Path) -> None:
    """Two workers that start together on a new machine share one import: the second waits and finds it."""
    command = [sys.executable, "-c", IMPORT]
    env = {"MLX_POOL_MODELS": str(models_dir), "PATH": ""}

    both = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE) for _ in "12"]
    said = [process.communicate(timeout=60) for process in both]

    assert said[0][0] == said[1][0]
    assert said[0][0].startswith(str(models_dir / "smollm2-135m"))
    assert sum("Writing weights" in errors for _, errors in said) == 1
    assert not list(models_dir.glob(".*.partial"))


def test_nobody_sees_half_a_model(models_dir: Path) -> None:
    """What fails on the way leaves no folder of the model's name, and the next attempt starts clean."""
    folder = models_dir / "m"

    def fail(partial: Path) -> None:
        (partial / "model.safetensors").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(Fault, match="No space left on device"):
        create(folder, fail, untold)
    seen: list[Path] = []
    create(folder, lambda partial: seen.extend(partial.iterdir()), untold)

    assert seen == []
    assert folder.is_dir()


def test_whoever_waits_is_told(models_dir: Path, put_model: Put) -> None:
    """A second process says that it waits for the first, and takes what that one has brought."""
    filling, told = threading.Event(), threading.Event()

    def slowly(partial: Path) -> None:
        filling.set()
        assert told.wait(10)
        partial.rmdir()
        put_model(partial)

    first = threading.Thread(target=create, args=(models_dir / "m", slowly, untold))
    first.start()
    assert filling.wait(10)
    create(models_dir / "m", lambda _: pytest.fail("brought twice"), lambda message, _: told.set())

    first.join()
    assert (models_dir / "m" / "config.json").is_file()


def test_something_else_in_the_models_place_is_not_touched(models_dir: Path) -> None:
    """A folder that is not a whole model may hold anything: the user decides."""
    (models_dir / "m").mkdir()
    (models_dir / "m" / "notes.txt").touch()

    with pytest.raises(Refused, match="is not a whole model: remove it"):
        create(models_dir / "m", lambda partial: None, untold)

    assert (models_dir / "m" / "notes.txt").exists()


def test_a_hub_model_that_is_not_for_mlx_is_refused(models_dir: Path, hub: FakeHub) -> None:
    """A repository without safetensors is not taken for a model."""
    del hub.files["model.safetensors"]

    with pytest.raises(Refused, match="org/model is no MLX model"):
        bring(Resolved("org/model", models_dir / "m", Hub("org/model")), untold, env={"HF_ENDPOINT": hub.url})
