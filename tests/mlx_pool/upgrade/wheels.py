"""Wheels of this checkout under any version, made without a build tool; and environments that have one installed.

Nothing needs a network: a wheel is an archive, these ask for nothing, and what they need is where the tests have it.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
OFFLINE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
_ROOMS = ("gateway", "worker", "shared", "mlx_pool")
_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_COMMANDS = "[console_scripts]\nmlx-pool = mlx_pool.__main__:main\n"


def build_wheel(folder: Path, version: str, changed: Mapping[str, str] | None = None) -> Path:
    """Make a wheel; `changed` gives files another text, as another version might have."""
    info = f"mlx_pool-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: mlx-pool\nVersion: {version}\n"
    files = dict(_files()) | {name: text.encode() for name, text in (changed or {}).items()}
    files |= {
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": _WHEEL.encode(),
        f"{info}/entry_points.txt": _COMMANDS.encode(),
    }
    rows = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    record = f"{info}/RECORD"
    path = folder / f"mlx_pool-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)
        wheel.writestr(record, "".join(rows) + f"{record},,\n")
    return path


def make_environment(prefix: Path, wheel: Path, *, by_uv: bool) -> None:
    """Make an environment with this wheel, by uv or by pip, which then is in it."""
    base = Path(sysconfig.get_config_var("BINDIR")) / "python3"
    pip = ["--without-pip"] if by_uv else []
    subprocess.run([str(base), "-m", "venv", *pip, str(prefix)], check=True)
    python = prefix / "bin/python"
    next(prefix.glob("lib/python3*/site-packages")).joinpath("tests.pth").write_text(_dependencies(), "utf-8")
    install = [uv(), "pip", "install", "--python", str(python)] if by_uv else [str(python), "-m", "pip", "install"]
    subprocess.run([*install, "--quiet", str(wheel)], check=True, env=os.environ | OFFLINE)


def uv() -> str:
    """Give uv; "" where there is none."""
    checkouts = CHECKOUT / ".tools/uv/bin/uv"
    return os.environ.get("UV") or shutil.which("uv") or (str(checkouts) if checkouts.exists() else "")


def _dependencies() -> str:
    """Where the tests' own dependencies are; what points back to the checkout is not followed from there."""
    return "".join(f"{sysconfig.get_path(kind)}\n" for kind in ("purelib", "platlib"))


def _files() -> Iterator[tuple[str, bytes]]:
    for room in _ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield str(path.relative_to(CHECKOUT)), path.read_bytes()
    yield "worker/catalog/catalog.toml", (CHECKOUT / "models/catalog.toml").read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
