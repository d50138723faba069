"""Finding a fast BLAS for the CPU path, and telling which one runs. MLX's own on Linux is the slow reference one."""

import ctypes
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

# Debian and Ubuntu keep libraries by machine, in folders of their alternatives; Fedora, Arch and Alpine do not.
_DEBIAN = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
SYSTEM_FOLDERS = (
    *(Path(lib) / place for lib in _DEBIAN for place in ("openblas-pthread", ".")),
    Path("/usr/lib64"),
    Path("/usr/lib"),
    Path("/usr/local/lib"),
)
_SYSTEM_NAMES = ("libopenblas.so.0", "libopenblasp.so.0")
# All of BLAS that MLX calls, and by what `running_blas` knows a library. The wheel has them under names of its own.
_SYMBOLS = ("cblas_sgemm", "cblas_dgemm", "cblas_cgemm", "openblas_get_config", "openblas_set_num_threads")
_WHEEL_PREFIX = "scipy_"


class Blas(msgspec.Struct, frozen=True):
    """A library to load before all others, and the folder in which it finds what it needs itself.

    `is_renamed` is False while its symbols bear the wheel's prefix: a copy with the usual names has to be made first.
    """

    library: Path
    folder: Path | None = None
    is_renamed: bool = True


def find_blas(
    *, system: Sequence[Path] = SYSTEM_FOLDERS, wheel: Path | None = None, environment: Path | None = None
) -> Blas | None:
    """Choose a BLAS: the system's OpenBLAS, else the wheel `scipy-openblas32`, else the wheel `mkl`; None without any.

    `wheel` is the folder of the package scipy_openblas32, `environment` that of the Python environment (`sys.prefix`).
    """
    for folder in system:
        for name in _SYSTEM_NAMES:
            if (folder / name).is_file():
                return Blas(folder / name)
    if wheel and (library := wheel / "lib" / "libscipy_openblas.so").is_file():
        return Blas(library, is_renamed=False)
    if environment:
        for library in sorted((environment / "lib").glob("libmkl_rt.so*")):
            return Blas(library, folder=library.parent)
    return None


def wheel_folder() -> Path | None:
    """Find the package scipy_openblas32 without importing it."""
    spec = importlib.util.find_spec("scipy_openblas32")
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def renamed(blas: Blas, *, into: Path, environment: Path) -> Blas | None:
    """Give the library with the usual symbol names: a copy in `into`, made once; None where it can't be made."""
    if blas.is_renamed:
        return blas
    facts = blas.library.stat()
    copy = into / f"libopenblas-{facts.st_size}-{facts.st_mtime_ns}.so"
    patchelf = shutil.which("patchelf", path=os.pathsep.join([str(environment / "bin"), os.environ.get("PATH", "")]))
    if not copy.is_file() and (patchelf is None or not _rename(blas.library, copy, patchelf)):
        return None
    return Blas(copy)


def _rename(library: Path, copy: Path, patchelf: str) -> bool:
    """Write the copy under another name first: another engine may start at the same moment."""
    partial = copy.with_name(f".{copy.name}.{os.getpid()}")
    names = partial.with_name(f"{partial.name}.names")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        names.write_text("".join(f"{_WHEEL_PREFIX}{symbol} {symbol}\n" for symbol in _SYMBOLS))
        shutil.copyfile(library, partial)
        command = [patchelf, "--set-soname", "libopenblas.so.0", "--rename-dynamic-symbols", str(names), str(partial)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603 -- our own arguments
        partial.rename(copy)
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        partial.unlink(missing_ok=True)
        names.unlink(missing_ok=True)
    return True


def running_blas() -> str | None:
    """Name the fast BLAS that this process runs on, by what is loaded, not by what was asked; None: the reference one.

    Only a preloaded library is seen: those that other modules bring stay hidden in them.
    """
    process = ctypes.CDLL(None)
    if hasattr(process, "openblas_get_config"):
        process.openblas_get_config.restype = ctypes.c_char_p
        return " ".join(process.openblas_get_config().decode().split()[:2])  # "OpenBLAS 0.3.34 DYNAMIC_ARCH …"
    return "MKL" if hasattr(process, "mkl_get_max_threads") else None
