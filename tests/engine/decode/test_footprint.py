"""What the system says of this process, on systems that are there and on those that are not."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.engine.decode.footprint import footprint_bytes, free_heap, keep_heap


class MacLibrary:
    """As much of a Mac's system library as is asked for."""

    def __init__(self, footprint: int, *, answer: int = 0) -> None:
        self._footprint = footprint
        self._answer = answer

    def proc_pid_rusage(self, pid: int, flavor: int, info: Any) -> int:
        """Fill the structure in, at the place that <sys/resource.h> gives."""
        assert pid > 0
        assert flavor == 0
        at = ctypes.addressof(info._obj) + 16 + 7 * 8
        ctypes.c_uint64.from_address(at).value = self._footprint
        return self._answer


def test_linux_tells_resident_pages(tmp_path: Path) -> None:
    """The second number of `statm`, in pages."""
    statm = tmp_path / "statm"
    statm.write_text("9000 250 100 1 0 700 0\n")

    assert footprint_bytes("linux", statm=statm) == 250 * os.sysconf("SC_PAGE_SIZE")


def test_a_mac_tells_its_physical_footprint() -> None:
    """The figure that Activity Monitor shows, and that the system judges by."""
    assert footprint_bytes("darwin", library=lambda: MacLibrary(123_456_789)) == 123_456_789


def test_what_can_not_be_told_is_zero(tmp_path: Path) -> None:
    """MLX's own count is left then; an engine never fails for want of a figure."""
    (tmp_path / "broken").write_text("no numbers")

    assert footprint_bytes("linux", statm=tmp_path / "missing") == 0
    assert footprint_bytes("linux", statm=tmp_path / "broken") == 0
    assert footprint_bytes("darwin", library=lambda: MacLibrary(1, answer=-1)) == 0
    assert footprint_bytes("darwin", library=object) == 0
    assert footprint_bytes("win32") == 0


def test_a_heap_without_such_calls_is_left_alone() -> None:
    """Only glibc has them; elsewhere nothing happens."""
    free_heap(object)
    keep_heap(object)


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="no such figure")
def test_the_footprint_grows_with_what_is_held() -> None:
    """On the system that the test runs on."""
    before = footprint_bytes()

    ballast = b"x" * (64 << 20)

    assert footprint_bytes() - before > 60 << 20
    assert len(ballast) == 64 << 20


_ROOT = Path(__file__).parents[3]
_TWO_BURSTS = """
import resource
from worker.engine.decode.footprint import keep_heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    burst = [bytearray(b"x") * 2_000_000 for _ in range(40)]
    del burst
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_heap()
print(faults(), faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other heaps give back by themselves, in their own time")
def test_what_is_free_is_given_back() -> None:
    """Also where the heap's top is taken, and its holes would count as held for ever."""
    ballast = [b"x" * 100_000 for _ in range(640)]
    top = b"x" * 1_000
    held = footprint_bytes()

    ballast.clear()
    free_heap()

    assert held - footprint_bytes() > 55 << 20
    assert top


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_what_is_kept_is_not_given_back_by_itself() -> None:
    """In a process of its own, since that can't be undone: a second burst finds the pages of the first."""
    done = subprocess.run([sys.executable, "-c", _TWO_BURSTS], cwd=_ROOT, capture_output=True, text=True, check=True)

    first, second = map(int, done.stdout.split())
    assert first > 15_000
    assert second < first / 10
