"""`GET /join` over HTTP, and the wheel that it names."""

import hashlib
import subprocess
import sys
import zipfile
from base64 import urlsafe_b64encode
from importlib.metadata import Distribution, version
from io import BytesIO
from pathlib import Path

from gateway.join.wheel import packed, unpacked
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal

FILES = {
    "gateway/__init__.py": b"",
    "gateway/page/index.html": b"<p>",
    "mlx_pool-1.2.dist-info/METADATA": b"Metadata-Version: 2.4\nName: mlx-pool\nVersion: 1.2\n",
    "mlx_pool-1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
ADDED = ("mlx_pool-1.2.dist-info/INSTALLER", "gateway/__pycache__/x.cpython-311.pyc", "../../../bin/mlx-pool")


async def test_a_bare_machine_needs_no_key_for_it(serving: Serving) -> None:
    """It has none yet; what it is given is no secret. Everything behind it still asks."""
    async with serving(key="s3cret") as served:
        script, wheel = await served.http.get("/join"), await served.http.get("/join/other.whl")
        locked = await served.http.get("/joins")

    assert script.status_code == 200
    assert script.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"version='{version('mlx-pool')}'" in script.text
    assert "s3cret" not in script.text
    assert refusal(wheel)[:2] == (404, "not_found")
    assert refusal(locked)[:2] == (401, "invalid_api_key")


async def test_a_made_up_name_is_refused_here_too(serving: Serving) -> None:
    """On loopback without a key nobody else's page may read even this."""
    async with serving() as served:
        strange = await served.http.get("/join", headers={"host": "evil.example"})

    assert refusal(strange)[:2] == (403, "host_not_allowed")


async def test_the_wheel_that_the_script_names_is_there(serving: Serving) -> None:
    """Of this very version, with all that a worker needs, the list of models and the page among it."""
    async with serving() as served:
        text = (await served.http.get("/join")).text
        url = text.partition("wheel='")[2].partition("'")[0]
        answer = await served.http.get(url)

    files = set(zipfile.ZipFile(BytesIO(answer.content)).namelist())
    assert url.endswith(f"/join/mlx_pool-{version('mlx-pool')}-py3-none-any.whl")
    assert {"worker/catalog/catalog.toml", "gateway/page/static/main.js", "gateway/join/join.sh"} <= files
    assert {"worker/__main__.py", "shared/keys.py", "mlx_pool/join/command.py"} <= files
    assert {name.rpartition("/")[2] for name in files if ".dist-info/" in name} >= {"METADATA", "entry_points.txt"}
    assert not [name for name in files if "__pycache__" in name or name.endswith((".pth", "Dockerfile"))]


def installed(folder: Path) -> Distribution:
    """Lay out what an installer makes of a wheel."""
    rows: list[str] = []
    for name, body in (FILES | dict.fromkeys(ADDED, b"added")).items():
        path = folder / "lib" / "site" / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        rows.append(f"{name},,\n")
    info = folder / "lib" / "site" / "packages" / "mlx_pool-1.2.dist-info"
    (info / "RECORD").write_text("".join([*rows, "mlx_pool-1.2.dist-info/RECORD,,\n"]))
    return Distribution.at(info)


def test_what_is_installed_becomes_the_wheel_again(tmp_path: Path) -> None:
    """All that came out of it, with a record that holds; nothing that was made on this machine."""
    wheel = zipfile.ZipFile(BytesIO(packed(dict(unpacked(installed(tmp_path))))))

    record = wheel.read("mlx_pool-1.2.dist-info/RECORD").decode()

    assert {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("RECORD")} == FILES
    for name, body in FILES.items():
        digest = urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
        assert f"{name},sha256={digest},{len(body)}\n" in record


def test_an_installer_takes_it(tmp_path: Path) -> None:
    """Pip, into a folder, without asking anybody else."""
    path = tmp_path / "mlx_pool-1.2-py3-none-any.whl"
    path.write_bytes(packed(dict(unpacked(installed(tmp_path / "from")))))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target"]

    done = subprocess.run([*pip, str(tmp_path / "to"), str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0 or "No module named pip" in done.stderr, done.stderr
