"""The wheel that a checkout's gateway packs, against the one that is built for a release."""

import os
import shutil
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from gateway.join.wheel import own_wheel

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.long
def test_a_checkouts_gateway_packs_what_a_release_has(tmp_path: Path) -> None:
    """The same files with the same bytes, but for what tells who built it."""
    uv = os.environ.get("UV") or shutil.which("uv") or str(CHECKOUT / ".tools/uv/bin/uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(tmp_path), str(CHECKOUT)], check=True)
    built = zipfile.ZipFile(next(tmp_path.glob("*.whl")))

    packed = zipfile.ZipFile(BytesIO(own_wheel().body))

    # What stands beside the code is from the day on which the checkout was last installed.
    parts, theirs = ({name for name in each.namelist() if ".dist-info/" not in name} for each in (packed, built))
    assert parts == theirs
    assert [name for name in parts if packed.read(name) != built.read(name)] == []
