import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_pool.up.lock import Held, hold

HOLDER = """
import pathlib, sys
from mlx_pool.up.lock import hold
with hold(pathlib.Path(sys.argv[1]), "guardian"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_lock_tells_who_holds_it(tmp_path: Path) -> None:
    """Whether to refuse or to wait depends on the holder's role."""
    with hold(tmp_path / "lock", "up"), pytest.raises(Held) as held, hold(tmp_path / "lock", "up"):
        pass

    assert (held.value.role, held.value.pid) == ("up", str(os.getpid()))


def test_a_lock_ends_with_its_killed_holder(tmp_path: Path) -> None:
    """A kill -9 leaves no lock behind, so no file ever has to be deleted by hand."""
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Held), hold(path, "up"):
            pass

        holder.kill()
        holder.wait()

    with hold(path, "up"):
        pass
