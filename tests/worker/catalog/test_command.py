"""`mlx-pool models`, as its user sees it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def models(models_dir: Path) -> Run:
    """Run the command on a folder of its own."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"MLX_POOL_MODELS": str(models_dir)}
        command = [sys.executable, "-m", "worker.catalog", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)

    return run


def test_help_names_all_commands_at_once(models: Run) -> None:
    """Help is there before a person notices waiting, and fits a screen."""
    began = time.monotonic()

    shown = models("--help")

    assert shown.returncode == 0
    assert time.monotonic() - began < 2
    assert all(command in shown.stdout for command in ("list", "pull", "import", "rm", "path", "synthetic"))
    assert len(shown.stdout.splitlines()) < 24


def test_a_pulled_model_is_on_the_machine(models: Run, models_dir: Path) -> None:
    """Pull prints the folder on stdout and progress on stderr; afterwards path and list know it."""
    before = models("path")
    pulled = models("pull", "smollm2-135m")
    after = models("path")

    assert before.returncode == 1
    assert "mlx-pool models pull smollm2-135m" in before.stderr
    assert pulled.stdout == f"{models_dir / 'smollm2-135m'}\n"
    assert "Converting SmolLM2-135M-Instruct.Q4_1.gguf: 40%" in pulled.stderr
    assert (after.returncode, after.stdout) == (0, pulled.stdout)
    assert "● smollm2-135m" in models("list").stdout
    assert models().stdout == models("list").stdout


def test_programs_get_json(models: Run, models_dir: Path, put_model: Callable[[Path], Path]) -> None:
    """The list is one array; a pull is lines of progress, then where the model is and what its queue is called."""
    put_model(models_dir / "org--mine")

    listed = json.loads(models("list", "--json").stdout)
    pulled = [json.loads(line) for line in models("pull", "org--mine", "--json").stdout.splitlines()]

    default = next(row for row in listed if row["is_default"])
    assert (default["name"], default["present"]) == ("smollm2-135m", False)
    assert listed[-1]["name"] == "org/mine"
    assert pulled == [{"status": "present", "queue": "org/mine", "path": str(models_dir / "org--mine")}]


def test_a_gguf_file_is_imported_under_its_name(models: Run, models_dir: Path, tmp_path: Path) -> None:
    """What can't be imported leaves nothing; a name that is taken, or is none, is refused."""
    (tmp_path / "small.gguf").write_bytes(b"GGUF")

    broken = models("import", str(tmp_path / "small.gguf"))
    (models_dir / "taken").mkdir()
    taken = models("import", str(tmp_path / "small.gguf"), "--name", "taken")
    odd = models("import", str(tmp_path / "small.gguf"), "--name", "../x")

    assert [done.returncode for done in (broken, taken, odd)] == [2, 2, 2]
    assert "can't be read as GGUF" in broken.stderr
    assert "give another name with --name" in taken.stderr
    assert "can't be a folder's name" in odd.stderr
    assert [path.name for path in models_dir.iterdir() if not path.name.startswith(".")] == ["taken"]


def test_a_folder_is_imported_and_removed(
    models: Run, models_dir: Path, tmp_path: Path, put_model: Callable[[Path], Path]
) -> None:
    """From elsewhere into the list, and out of it again; without a terminal removal needs its flag."""
    (put_model(tmp_path / "mine") / "tokenizer.json").touch()

    imported = models("import", str(tmp_path / "mine"), "--link", "--json")
    unsure = models("rm", "mine")
    removed = models("rm", "mine", "--yes")

    assert json.loads(imported.stdout.splitlines()[-1])["path"] == str(models_dir / "mine")
    assert (unsure.returncode, "needs --yes" in unsure.stderr) == (2, True)
    assert (removed.returncode, removed.stdout.startswith("Removed ")) == (0, True)
    assert not (models_dir / "mine").exists()
    assert (tmp_path / "mine" / "model.safetensors").is_file()


def test_mistakes_are_one_line_and_exit_code_2(models: Run) -> None:
    """An unknown model is the user's to correct: one line, no traceback."""
    done = models("pull", "nonsense")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mlx-pool models: There is no model named nonsense.")
    assert len(done.stderr.splitlines()) == 1


def test_what_a_model_needs_is_told_before_it_is_here(models: Run, models_dir: Path) -> None:
    """Name, folder, and memory, for programs and people; nothing is fetched."""
    told = [json.loads(line) for line in models("needs", "--json", "qwen3-4b", "org/unlisted").stdout.splitlines()]

    assert [(each["queue"], each["present"]) for each in told] == [("qwen3-4b", False), ("org/unlisted", False)]
    assert [bool(each["memory_mb"]) for each in told] == [True, False]
    assert told[0]["path"].startswith(str(models_dir))
    assert models("needs", "org/unlisted").stdout == "org/unlisted: not known (not fetched yet)\n"
    assert not list(models_dir.glob("*"))


def test_a_synthetic_model_is_a_folder_like_any_other(models: Run, models_dir: Path) -> None:
    """Benches make their model with one command, and it is listed as the user's own."""
    models("synthetic", "tiny", str(models_dir / "tiny"))

    listed = models("list").stdout

    assert "● tiny" in listed
