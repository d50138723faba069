"""Starting the process anew with a fast BLAS in front, before mlx is loaded. Linux without a GPU only; else a no-op."""

import importlib.metadata
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .blas import Blas, find_blas, renamed, wheel_folder

_TRIED = "MLX_POOL_BLAS_TRIED"  # this process was started by us: never do it twice
_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_CUDA_BUILDS = ("mlx-cuda-13", "mlx-cuda-12")


def exec_with_fast_blas_if_found(argv: Sequence[str], env: Mapping[str, str] = os.environ) -> None:
    """Replace this process by the same command with a fast BLAS preloaded, or return if not wanted or not possible.

    Call it first thing, before mlx or threads exist, with `sys.orig_argv`. Open pipes, working directory and process id
    stay. `MLX_POOL_BLAS=reference` turns it off; OPENBLAS_NUM_THREADS, where set, is left as it is.
    """
    if not is_wanted(env, platform=sys.platform, has_cuda=_has_cuda()):
        return
    prefix = Path(sys.prefix)
    blas = find_blas(wheel=wheel_folder(), environment=prefix)
    blas = blas and renamed(blas, into=_cache_folder(env), environment=prefix)
    if blas is not None:
        os.execve(sys.executable, [sys.executable, *argv[1:]], environment_with(blas, env, cores=_cores()))  # noqa: S606


def is_wanted(env: Mapping[str, str], *, platform: str, has_cuda: bool) -> bool:
    """Tell whether a BLAS matters to this process and nobody has chosen one for it yet."""
    preloaded = env.get("LD_PRELOAD", "")
    is_chosen = _TRIED in env or env.get("MLX_POOL_BLAS") == "reference" or "blas" in preloaded or "mkl" in preloaded
    return platform == "linux" and not has_cuda and not is_chosen


def environment_with(blas: Blas, env: Mapping[str, str], *, cores: int) -> dict[str, str]:
    """Give the environment of the new process.

    One core is left to the others of the pool on this machine: a BLAS thread that waits for work spins, and on two
    cores the agent, the gateway and the broker then starve. There, at batch 4, one thread was also the faster.
    """
    new = dict(env) | {_TRIED: "1", "LD_PRELOAD": _joined(str(blas.library), env.get("LD_PRELOAD"))}
    if blas.folder:
        new["LD_LIBRARY_PATH"] = _joined(str(blas.folder), env.get("LD_LIBRARY_PATH"))
    if not any(name in env for name in _THREADS):
        new |= dict.fromkeys(_THREADS, str(max(1, cores - 1)))
    return new


def _joined(first: str, rest: str | None) -> str:
    return f"{first}:{rest}" if rest else first


def _cache_folder(env: Mapping[str, str]) -> Path:
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlx-pool"


def _has_cuda() -> bool:
    for build in _CUDA_BUILDS:
        try:
            importlib.metadata.version(build)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False


def _cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Count the cores that this process may use, also under a container's quota: BLAS itself counts the machine's."""
    allowed = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return min(allowed, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        return allowed
