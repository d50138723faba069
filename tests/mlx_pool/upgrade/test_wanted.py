"""What is to be installed, as installers understand it."""

from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.upgrade.versions import changes, frozen
from mlx_pool.upgrade.wanted import install_argv, requirement


def test_the_newest_is_wanted_with_the_extras_that_are_there() -> None:
    """Unless something was asked for."""
    assert requirement(None, ("gateway", "worker")) == "mlx-pool[gateway,worker]"
    assert requirement(None, ()) == "mlx-pool"


def test_a_version_a_wheel_or_a_folder_may_be_asked_for(tmp_path: Path) -> None:
    """A file is named by its whole path: the installer stands elsewhere."""
    wheel = tmp_path / "mlx_pool-2.0-py3-none-any.whl"
    wheel.touch()
    (tmp_path / "pyproject.toml").touch()

    assert requirement("2.0rc1", ("worker",)) == "mlx-pool[worker]==2.0rc1"
    assert requirement(str(wheel), ("worker",)) == f"mlx-pool[worker] @ file://{wheel}"
    assert requirement(str(tmp_path), ()) == f"mlx-pool @ file://{tmp_path}"


@pytest.mark.parametrize("to", ["newest", "/nowhere/mlx_pool-2.0.whl", "--index-url=x", "2.0; rm"])
def test_anything_else_is_refused(to: str) -> None:
    """No word of it reaches an installer."""
    with pytest.raises(Unusable, match="--to"):
        requirement(to, ())


def test_pip_or_uv_leave_alone_what_is_good_enough() -> None:
    """Only mlx-pool is asked to be newer: nobody wants a new MLX by the way."""
    python = Path("/opt/.env.next/bin/python")

    by_uv = install_argv(python, "mlx-pool", "/usr/bin/uv")
    by_pip = install_argv(python, "mlx-pool", None)

    assert by_uv[:5] == ("/usr/bin/uv", "pip", "install", "--python", str(python))
    assert by_uv[5:] == ("--upgrade-package", "mlx-pool", "mlx-pool")
    assert by_pip[:4] == (str(python), "-m", "pip", "install")
    assert "eager" not in by_pip


def test_what_an_installation_has_changed_is_told_ours_first() -> None:
    """New, gone, and from what to what; what stays is not told."""
    before = {"anyio": "1", "mlx-pool": "1.0", "redis": "8.1", "rich": "15"}
    after = {"mlx-pool": "2.0", "redis": "8.2", "rich": "15", "zstd": "3"}

    assert list(changes(before, after)) == ["mlx-pool 1.0 → 2.0", "anyio 1, gone", "redis 8.1 → 8.2", "zstd 3, new"]
    assert frozen(before).splitlines()[:2] == ["anyio==1", "mlx-pool==1.0"]
