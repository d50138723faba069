"""Where weights lie: which folders are searched, what counts as a model folder, and the queue's name that it gives."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from .entries import CHECKOUT


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def models_folders(
    env: Mapping[str, str], *, checkout: Path = CHECKOUT, platform: str = sys.platform
) -> tuple[Path, ...]:
    """List the folders that are searched for models; new weights go to the first.

    `MLX_POOL_MODELS` names one that replaces the others: `models/` of a checkout, and the user's data folder.
    """
    if given := env.get("MLX_POOL_MODELS"):
        return (Path(given).expanduser().absolute(),)
    user = _data_home(env, platform) / "mlx-pool" / "models"
    is_checkout = (checkout / "pyproject.toml").is_file() and (checkout / "models").is_dir()
    return (checkout / "models", user) if is_checkout else (user,)


def is_model_folder(path: Path) -> bool:
    """Tell whether the folder holds a whole MLX model: a configuration, and all weight files that its index names."""
    if not (path / "config.json").is_file():
        return False
    index = path / "model.safetensors.index.json"
    if not index.is_file():
        # A fine-tuning run may have left its adapters, which are no model, beside a configuration.
        return any(not file.name.endswith("adapters.safetensors") for file in path.glob("*.safetensors"))
    try:
        weight_map = msgspec.json.decode(index.read_bytes(), type=_Index).weight_map
    except (msgspec.DecodeError, OSError):
        return False
    return all((path / name).is_file() for name in set(weight_map.values()))


def folders_in(folders: Sequence[Path], is_wanted: Callable[[Path], bool]) -> list[Path]:
    """List what is wanted of the folders directly in these, by name; the first of two alike hides the second."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if not path.name.startswith(".") and is_wanted(path):
                found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def folder_of(hub_id: str) -> str:
    """Name the folder in which a hub's repository is kept: `org/model` becomes `org--model`."""
    return hub_id.replace("/", "--")


def queue_of(path: Path) -> str:
    """Name the queue of a model folder: its own name, or the hub's id where the folder was named after one."""
    path = path.resolve()
    if path.parent.name == "snapshots":  # the hub client's cache: models--org--model/snapshots/COMMIT
        return path.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    return path.name.replace("--", "/", 1)


def _data_home(env: Mapping[str, str], platform: str) -> Path:
    if xdg := env.get("XDG_DATA_HOME"):
        return Path(xdg)
    home = Path(env.get("HOME") or Path.home())
    return home / ("Library/Application Support" if platform == "darwin" else ".local/share")
