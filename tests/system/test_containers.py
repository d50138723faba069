"""The images, as far as they can be tried without a container engine: their own commands in empty environments."""

import re
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = {"gateway": "the HTTP side", "worker": "takes jobs of its models"}


def commands_of(dockerfile: Path) -> list[str]:
    """The pip commands of a Dockerfile, in order."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return [found.strip() for found in re.findall(r"(pip install [^&\n]*)", text)]


def entrypoint_of(dockerfile: Path) -> list[str]:
    """The words of its ENTRYPOINT."""
    (words,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", dockerfile.read_text(), re.MULTILINE)
    return [word.strip().strip('"') for word in words.split(",")]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", ["gateway", "worker"])
def test_an_images_commands_work_in_an_empty_environment(part: str, tmp_path: Path) -> None:
    """What the Dockerfile installs, hashes checked, is all that its part needs to start."""
    dockerfile = ROOT / part / "Dockerfile"
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"

    for command in commands_of(dockerfile):
        words = command.replace("requirements.lock", f"{part}/requirements.lock").split()
        subprocess.run([python, "-m", *words], cwd=ROOT, check=True, capture_output=True)
    help_of_part = subprocess.run(
        [python, *entrypoint_of(dockerfile)[1:], "--help"], cwd=tmp_path, check=True, capture_output=True, text=True
    )

    assert SHOWN[part].lower() in help_of_part.stdout.lower()


@pytest.mark.parametrize("part", ["gateway", "worker"])
def test_an_image_copies_only_what_its_context_has(part: str) -> None:
    """Every COPY names a file of the repository that .dockerignore lets through."""
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    copied = [
        line.split()[1:-1] for line in (ROOT / part / "Dockerfile").read_text().splitlines() if line.startswith("COPY")
    ]

    for source in (each for sources in copied for each in sources):
        assert (ROOT / source).exists()
        assert source in allowed or source.split("/")[0] in allowed


def test_a_lock_file_names_no_host() -> None:
    """Where packages come from is the installer's business: only names, versions and hashes are kept."""
    for part in ("gateway", "worker"):
        text = (ROOT / part / "requirements.lock").read_text()

        assert "://" not in text
        assert "--index-url" not in text


def test_the_interpreter_of_the_images_is_one_that_is_supported() -> None:
    """The images' Python is not older than what the package needs."""
    for part in ("gateway", "worker"):
        (version,) = re.findall(r"^FROM python:3\.(\d+)-slim$", (ROOT / part / "Dockerfile").read_text(), re.MULTILINE)

        assert int(version) >= 11
