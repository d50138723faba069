from pathlib import Path

import pytest

from mlx_pool.data_folder import DataFolder, data_folder, user_data_home
from mlx_pool.failure import Unusable


def test_the_flag_wins_over_the_environment_over_the_checkout(tmp_path: Path) -> None:
    """In a checkout everything lies in `.run`, unless another folder is named."""
    env = {"MLX_POOL_DATA": str(tmp_path / "env")}

    assert data_folder(tmp_path / "flag", env).path == tmp_path / "flag"
    assert data_folder(None, env).path == tmp_path / "env"
    assert data_folder(None, {}).path == Path(__file__).resolve().parents[2] / ".run"


def test_without_a_checkout_data_lies_where_the_platform_keeps_it() -> None:
    """An installed `mlx-pool` writes into its user's data folder, and nowhere else."""
    assert user_data_home({"HOME": "/home/kim"}, "linux") == Path("/home/kim/.local/share")
    assert user_data_home({"HOME": "/Users/kim"}, "darwin") == Path("/Users/kim/Library/Application Support")
    assert user_data_home({"HOME": "/home/kim", "XDG_DATA_HOME": "/data"}, "linux") == Path("/data")


def test_a_folder_that_cannot_be_made_is_told_with_the_flag(tmp_path: Path) -> None:
    """The line says which folder, why, and what to give instead."""
    (tmp_path / "file").touch()

    with pytest.raises(Unusable, match=r"file/data can't be made \(Not a directory\): give another with --data DIR"):
        DataFolder(tmp_path / "file" / "data").create()
