"""An adapter folder as values: what a fine-tuning run wrote beside its base model, read and checked before mlx sees it.

Format: that of mlx-lm's LoRA, DoRA and full runs, `adapter_config.json` and `adapters.safetensors`.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import Refused

from .weight_file import WeightFile, read_weight_file


class Adapter(msgspec.Struct, frozen=True):
    """An adapter that is whole; whether it fits its base model shows when the two meet."""

    path: Path
    config: dict[str, Any]
    weight_file: WeightFile


def read_adapter(path: Path) -> Adapter:
    """Read an adapter folder.

    Raises:
        Refused: it is missing, broken, or in the form of another library.

    """
    config = _read_config(path)
    if "peft_type" in config:
        raise _refused(f"{path} is an adapter of the PEFT library: convert it to mlx-lm's form, or fuse it first.")
    weights = path / "adapters.safetensors"
    if not weights.is_file():
        raise _refused(f"{path} has no adapters.safetensors: copy the adapter again.")
    return Adapter(path, config, read_weight_file(weights))


def _read_config(path: Path) -> dict[str, Any]:
    file = path / "adapter_config.json"
    try:
        return msgspec.convert(json.loads(file.read_bytes()), dict[str, Any])
    except FileNotFoundError as error:
        raise _refused(f"{path} has no adapter_config.json, so it is no adapter folder.") from error
    except (OSError, ValueError) as error:
        raise _refused(f"{file} can't be read ({error}): copy the adapter again.") from error


def _refused(message: str) -> Refused:
    return Refused("model_not_found", message, param="model")
