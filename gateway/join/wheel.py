"""The wheel of this very version, packed of what runs here: what an installer unpacked, or a checkout's sources."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import NamedTuple

_DISTRIBUTION = "mlx-pool"
_CHECKOUT = Path(__file__).parents[2]
# As pyproject.toml has it for the wheel.
_PACKAGES = ("gateway", "mlx_pool", "shared", "worker")
_ELSEWHERE = {"worker/catalog/catalog.toml": "models/catalog.toml"}
_LEFT_OUT = frozenset(("Dockerfile", "requirements.lock"))
# What an installer adds to what it unpacked.
_ADDED = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"))
_OLDEST = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier day; the same files give the same wheel


class Wheel(NamedTuple):
    """A wheel's file name, and its bytes."""

    name: str
    body: bytes


def own_wheel() -> Wheel:
    """Pack it; blocks for a tenth of a second."""
    installed = distribution(_DISTRIBUTION)
    files = dict(unpacked(installed))
    if _is_editable(installed):
        files = {name: path for name, path in files.items() if ".dist-info/" in name} | dict(_sources(_CHECKOUT))
    return Wheel(f"mlx_pool-{installed.version}-py3-none-any.whl", packed(files))


def packed(files: Mapping[str, Path]) -> bytes:
    """Pack these files, by their names in it, with the record that a wheel has of them."""
    out, rows = io.BytesIO(), list[str]()
    record = next(name for name in files if name.endswith(".dist-info/METADATA")).replace("METADATA", "RECORD")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, path in sorted(files.items()):
            body = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(body)}\n")
            wheel.writestr(zipfile.ZipInfo(name, _OLDEST), body, zipfile.ZIP_DEFLATED)
        wheel.writestr(zipfile.ZipInfo(record, _OLDEST), "".join([*rows, f"{record},,\n"]), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def unpacked(installed: Distribution) -> Iterator[tuple[str, Path]]:
    """List the files that came out of a wheel: not the scripts that were made of it, nor what was compiled since."""
    for path in installed.files or []:
        is_info = path.parts[0].endswith(".dist-info")
        is_made = ".." in path.parts or path.suffix == ".pyc" or (is_info and path.name in _ADDED)
        if not is_made:
            yield path.as_posix(), Path(str(path.locate()))


def _is_editable(installed: Distribution) -> bool:
    """Tell whether only a way to the sources is installed, PEP 610."""
    told = installed.read_text("direct_url.json")
    return bool(told) and bool(json.loads(told).get("dir_info", {}).get("editable"))


def _sources(checkout: Path) -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        for path in (checkout / package).rglob("*"):
            if path.is_file() and path.suffix != ".pyc" and path.name[0] != "." and path.name not in _LEFT_OUT:
                yield path.relative_to(checkout).as_posix(), path
    yield from ((name, checkout / place) for name, place in _ELSEWHERE.items())
