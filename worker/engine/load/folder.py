"""A model folder as values: its configuration and its weight files' headers, read and checked before mlx sees them.

Whatever is wrong with a folder is found here, where the message can still say which file it is and what to do.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import Refused

from .weight_file import WeightFile, read_weight_file

_CONTEXT_KEYS = (
    "max_position_embeddings",
    "model_max_length",
    "max_sequence_length",
    "max_seq_len",
    "seq_length",
    "n_ctx",
)
_CONTEXT_WITHOUT_TELLING = 4096


class ModelFolder(msgspec.Struct, frozen=True):
    """A model folder that is whole as far as can be told without its data."""

    path: Path
    config: dict[str, Any]
    weight_files: tuple[WeightFile, ...]

    @property
    def name(self) -> str:
        """What the model is called when nothing else was told: the folder's name, or the hub's id that it bears."""
        return folder_name(self.path)


def folder_name(path: Path) -> str:
    """Name a model after its folder: `org--model`, and the hub client's cache, give `org/model`."""
    path = path.resolve()
    if path.parent.name == "snapshots":
        path = path.parent.parent
    return path.name.removeprefix("models--").replace("--", "/", 1)


def read_folder(path: Path) -> ModelFolder:
    """Read a model folder.

    Raises:
        Refused: it is missing, incomplete or broken, or it needs code of its own to be run, which is never done here.

    """
    if not path.is_dir():
        raise _refused(
            f"There is no folder {path}. Give the path of an MLX model folder, or a name: mlx-pool models list."
        )
    config = _read_config(path)
    if code := config.get("model_file"):
        raise _refused(
            f"{path.name} needs its own code ({code}), which is not run here. Use a model that mlx-lm knows."
        )
    files = tuple(read_weight_file(file) for file in _weight_paths(path))
    return ModelFolder(path, config, files)


def context_tokens(config: dict[str, Any], *, cap: int) -> int:
    """Tell how many tokens of prompt and completion the model was made for, or `cap` if that is less."""
    nested: dict[str, Any] = config.get("text_config") or {}
    for place in (config, nested):
        for key in _CONTEXT_KEYS:
            value = place.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return min(value, cap)
    return min(_CONTEXT_WITHOUT_TELLING, cap)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = msgspec.convert(json.loads((path / "config.json").read_bytes()), dict[str, Any])
    except FileNotFoundError as error:
        hint = ""
        if next(path.glob("*.gguf"), None):
            hint = " It holds a GGUF file: mlx-pool models import FILE.gguf."
        raise _refused(f"{path} has no config.json, so it is no MLX model folder.{hint}") from error
    except (OSError, ValueError) as error:
        raise _refused(f"{path / 'config.json'} can't be read ({error}): copy or download the model again.") from error
    if not isinstance(config.get("model_type"), str):
        raise _refused(f"{path / 'config.json'} names no model_type, so it is no language model's configuration.")
    return config


def _weight_paths(path: Path) -> list[Path]:
    index = path / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise _refused(f"{index} can't be read ({error!r}): copy or download the model again.") from error
        missing = [name for name in names if not (path / name).is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if missing[1:] else ""
            raise _refused(f"{path} lacks {missing[0]}{more}, which its index names: copy or download the model again.")
        return [path / name for name in names]
    # A fine-tuning run may have left its adapters in its model's own folder: they are no part of the model.
    if found := [file for file in sorted(path.glob("*.safetensors")) if not file.name.endswith("adapters.safetensors")]:
        return found
    if next(path.glob("*.bin"), None) or next(path.glob("*.pt*"), None):
        raise _refused(f"{path} has PyTorch weights only, and no safetensors: convert it with `mlx_lm.convert`.")
    raise _refused(f"{path} has no weights (*.safetensors): copy or download the model again.")


def _refused(message: str) -> Refused:
    return Refused("model_not_found", message, param="model")
