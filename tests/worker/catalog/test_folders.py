"""Where weights lie, and when a folder counts as a model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.catalog.folders import folder_of, folders_in, is_model_folder, models_folders, queue_of

Put = Callable[[Path], Path]


def test_a_checkout_keeps_weights_in_its_models_folder(tmp_path: Path) -> None:
    """In a checkout new weights go to `models/`; what lies in the user's data folder is found as well."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "models").mkdir()

    found = models_folders({"HOME": "/home/u"}, checkout=tmp_path, platform="linux")

    assert found == (tmp_path / "models", Path("/home/u/.local/share/mlx-pool/models"))


@pytest.mark.parametrize(
    ("env", "platform", "folder"),
    [
        ({"HOME": "/Users/u"}, "darwin", "/Users/u/Library/Application Support/mlx-pool/models"),
        ({"HOME": "/home/u"}, "linux", "/home/u/.local/share/mlx-pool/models"),
        ({"HOME": "/home/u", "XDG_DATA_HOME": "/data"}, "linux", "/data/mlx-pool/models"),
        ({"HOME": "/home/u", "MLX_POOL_MODELS": "/big/disk"}, "linux", "/big/disk"),
    ],
)
def test_without_a_checkout_weights_lie_with_the_users_data(
    tmp_path: Path, env: dict[str, str], platform: str, folder: str
) -> None:
    """Each platform has its place, and the user can give another."""
    assert models_folders(env, checkout=tmp_path, platform=platform) == (Path(folder),)


def test_a_folder_that_lacks_a_shard_is_no_model(models_dir: Path, put_model: Put) -> None:
    """An interrupted copy is not taken for a model: all files of the index must be there."""
    folder = put_model(models_dir / "m")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}))
    assert not is_model_folder(folder)

    (folder / "model-2.safetensors").touch()
    assert is_model_folder(folder)

    index.write_text("{")
    assert not is_model_folder(folder)


def test_adapters_beside_a_configuration_are_no_weights(models_dir: Path) -> None:
    """A fine-tuning run that was told to write into a model's folder does not make a model of it."""
    (models_dir / "m").mkdir()
    for name in ("config.json", "adapters.safetensors", "0000100_adapters.safetensors"):
        (models_dir / "m" / name).touch()

    assert not is_model_folder(models_dir / "m")


def test_models_are_listed_once_and_downloads_under_way_not_at_all(models_dir: Path, put_model: Put) -> None:
    """The first folder of a name hides the second; hidden folders are unfinished work."""
    other = models_dir.parent / "other"
    mine = put_model(models_dir / "b")
    put_model(models_dir / ".c.partial")
    put_model(other / "b")
    only = put_model(other / "a")

    assert folders_in([models_dir, other, models_dir / "none"], is_model_folder) == [only, mine]


def test_a_hub_ids_folder_gives_the_id_back() -> None:
    """The queue's name survives the way to disk and back."""
    assert queue_of(Path("/models") / folder_of("org/model")) == "org/model"
