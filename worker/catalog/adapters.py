"""Adapters: folders that a fine-tuning run of mlx-lm wrote, each of use only together with the model it was made on."""

from pathlib import Path

import msgspec

from shared.errors import Refused

CONFIG, WEIGHTS = "adapter_config.json", "adapters.safetensors"


class _Config(msgspec.Struct, frozen=True):
    model: str | None = None


def is_adapter_folder(path: Path) -> bool:
    """Tell whether the folder holds an adapter, and no model of its own."""
    return all((path / name).is_file() for name in (CONFIG, WEIGHTS)) and not (path / "config.json").exists()


def base_of(path: Path) -> str:
    """Read what the adapter's run called its model: a path, a hub's id or a name of the catalogue.

    Raises:
        Refused: the adapter does not tell.

    """
    try:
        base = msgspec.json.decode((path / CONFIG).read_bytes(), type=_Config).model
    except (OSError, msgspec.DecodeError) as error:
        raise Refused("model_not_found", f"{path / CONFIG} can't be read: {error}", param="model") from error
    if not base:
        raise Refused(
            "model_not_found",
            f"{path / CONFIG} names no model that it adapts: import it again with --base NAME.",
            param="model",
        )
    return base
