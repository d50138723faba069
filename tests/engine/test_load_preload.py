"""Before mlx is there, an engine on a Linux CPU starts itself anew with a fast BLAS in front, once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from worker.engine.load.blas import Blas, find_blas, renamed
from worker.engine.load.preload import environment_with, is_wanted

SCRIPT = """
import os, sys
from worker.engine.load.preload import exec_with_fast_blas_if_found
first = os.environ.setdefault("FIRST_PID", str(os.getpid()))
exec_with_fast_blas_if_found(sys.orig_argv)
from worker.engine.load.blas import running_blas
assert "mlx.core" not in sys.modules
print(sys.stdin.readline().strip(), running_blas(), os.getpid() == int(first), sys.argv[1:], sep="|")
"""


def start(**env: str) -> list[str]:
    """Run the script as a new process with these variables, and give what it printed."""
    command = [sys.executable, "-c", SCRIPT, "--slots", "안녕"]
    clean = {name: value for name, value in os.environ.items() if name not in {"LD_PRELOAD", "MLX_POOL_BLAS_TRIED"}}
    done = subprocess.run(
        command, input="a line\n", capture_output=True, text=True, env=clean | env, timeout=60, check=True
    )
    return done.stdout.strip().split("|")


@pytest.mark.skipif(find_blas() is None, reason="no fast BLAS is installed")
@pytest.mark.skipif(sys.platform != "linux", reason="macOS has a fast BLAS of its own")
def test_the_process_goes_on_as_itself_with_a_fast_blas() -> None:
    """Pipes, arguments and process id stay, so a supervisor sees nothing of it; the fast BLAS is really in use."""
    line, blas, is_same_process, arguments = start()

    assert line == "a line"
    assert blas.startswith("OpenBLAS")
    assert is_same_process == "True"
    assert arguments == "['--slots', '안녕']"


def test_the_reference_blas_can_be_asked_for() -> None:
    """MLX_POOL_BLAS=reference leaves the process alone."""
    assert start(MLX_POOL_BLAS="reference")[1] == "None"


@pytest.mark.parametrize(
    ("env", "platform", "has_cuda", "wanted"),
    [
        ({}, "linux", False, True),
        ({}, "darwin", False, False),
        ({}, "linux", True, False),
        ({"MLX_POOL_BLAS": "reference"}, "linux", False, False),
        ({"MLX_POOL_BLAS_TRIED": "1"}, "linux", False, False),
        ({"LD_PRELOAD": "/opt/libopenblas.so.0"}, "linux", False, False),
        ({"LD_PRELOAD": "/opt/libjemalloc.so"}, "linux", False, True),
    ],
)
def test_a_blas_is_wanted_only_where_it_matters(
    env: dict[str, str], platform: str, has_cuda: bool, wanted: bool
) -> None:
    """Never twice, never over the user's own choice, and never where a GPU computes."""
    assert is_wanted(env, platform=platform, has_cuda=has_cuda) is wanted


def test_the_systems_library_comes_before_those_of_wheels(tmp_path: Path) -> None:
    """OpenBLAS of the system, then the small wheel, then the large one, then none."""
    system, wheel, environment = tmp_path / "usr", tmp_path / "scipy_openblas32", tmp_path / "venv"
    assert find_blas(system=[system], wheel=wheel, environment=environment) is None

    mkl = put(environment / "lib" / "libmkl_rt.so.3")
    assert find_blas(system=[system], wheel=wheel, environment=environment) == Blas(mkl, folder=mkl.parent)

    small = put(wheel / "lib" / "libscipy_openblas.so")
    assert find_blas(system=[system], wheel=wheel, environment=environment) == Blas(small, is_renamed=False)

    installed = put(system / "libopenblas.so.0")
    assert find_blas(system=[system], wheel=wheel, environment=environment) == Blas(installed)


def test_a_wheels_library_is_copied_with_the_usual_names_once(tmp_path: Path) -> None:
    """The copy is made by patchelf; the second engine finds it, and without patchelf there is none, and no error."""
    library = put(tmp_path / "lib" / "libscipy_openblas.so")
    tool = put(tmp_path / "venv" / "bin" / "patchelf")
    tool.write_text('#!/bin/sh\nfor last; do :; done\ncat "$4" >> "$last"\n')
    tool.chmod(0o755)
    blas = Blas(library, is_renamed=False)

    copy = renamed(blas, into=tmp_path / "cache", environment=tmp_path / "venv")

    assert copy is not None
    assert "scipy_cblas_sgemm cblas_sgemm" in copy.library.read_text()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [copy.library.name]
    tool.unlink()
    assert renamed(blas, into=tmp_path / "cache", environment=tmp_path / "venv") == copy
    assert renamed(blas, into=tmp_path / "other", environment=tmp_path / "venv") is None


def test_one_core_is_left_to_the_rest_of_the_pool() -> None:
    """BLAS threads spin while they wait: they take all cores but one, unless the user has said how many."""
    blas = Blas(Path("/lib/libmkl_rt.so.3"), folder=Path("/lib"))

    two = environment_with(blas, {"LD_PRELOAD": "/lib/jemalloc.so", "HOME": "/root"}, cores=2)
    many = environment_with(blas, {}, cores=8)
    told = environment_with(blas, {"OPENBLAS_NUM_THREADS": "6"}, cores=2)

    assert two["OPENBLAS_NUM_THREADS"] == two["MKL_NUM_THREADS"] == "1"
    assert two["LD_PRELOAD"] == "/lib/libmkl_rt.so.3:/lib/jemalloc.so"
    assert two["LD_LIBRARY_PATH"] == "/lib"
    assert two["HOME"] == "/root"
    assert many["OPENBLAS_NUM_THREADS"] == "7"
    assert (told["OPENBLAS_NUM_THREADS"], "MKL_NUM_THREADS" in told) == ("6", False)


def put(path: Path) -> Path:
    """Make an empty file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path
