"""What a model folder needs of a machine, read from its configuration and its files' sizes: nothing is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

_MB = 1_000_000
_HALF_FLOAT_BYTES = 2
# What `memory_mb` has room for: a short conversation. The catalogue's figures are meant so, too.
_USUAL_TOKENS = 4_000
# Every so many layers one sees all the context; the others' state is bounded.
_INTERVALS = ("full_attention_interval", "sliding_window_pattern")
# mlx-lm keeps what these have compressed in full: keys in two parts, and values.
_UNEVEN = {"deepseek_v2": ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")}
_RECURRENT = ("mamba", "ssm", "state_size", "rwkv")


class Needs(msgspec.Struct, frozen=True):
    """A model's size, in MB. `kv_mb` is the state of 1,000 tokens in half floats; None where it can't be computed."""

    family: str
    disk_mb: int
    memory_mb: int
    kv_mb: int | None


def read_needs(folder: Path) -> Needs:
    """Read what the model in this folder needs; what can't be read counts as not told."""
    sizes = {path: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    weights = sum(size for path, size in sizes.items() if path.suffix == ".safetensors")
    config = _config(folder)
    per_token = kv_bytes(config)
    state = (per_token or 0) * _USUAL_TOKENS
    return Needs(
        family=str(config.get("model_type", "")),
        disk_mb=_mb(sum(sizes.values())),
        memory_mb=_mb(weights + state),
        kv_mb=None if per_token is None else _mb(per_token * 1_000),
    )


def kv_bytes(config: Mapping[str, Any]) -> int | None:
    """Compute the bytes of state that one more token takes; None for architectures whose state is of another kind."""
    nested: dict[str, Any] = config.get("text_config") or {}
    told = {**config, **nested}
    if any(key.startswith(_RECURRENT) for key in told):
        return None
    try:
        layers = _growing_layers(told)
        heads = told["num_attention_heads"]
        if parts := _UNEVEN.get(told["model_type"]):
            return layers * heads * sum(told[part] for part in parts) * _HALF_FLOAT_BYTES
        if rank := told.get("kv_lora_rank"):  # one compressed vector for all heads, and the rotated part of the keys
            return layers * (rank + told["qk_rope_head_dim"]) * _HALF_FLOAT_BYTES
        width = told.get("head_dim") or told["hidden_size"] // heads
        return layers * 2 * (told.get("num_key_value_heads") or heads) * width * _HALF_FLOAT_BYTES
    except (KeyError, TypeError, ZeroDivisionError):
        return None


def _growing_layers(told: Mapping[str, Any]) -> int:
    """Count the layers whose state grows with every token."""
    if kinds := told.get("layer_types"):
        return list(kinds).count("full_attention")
    interval = next((told[key] for key in _INTERVALS if told.get(key)), 1)
    return told["num_hidden_layers"] // interval


def _config(folder: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((folder / "config.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}


def _mb(size: int) -> int:
    return -(-size // _MB)  # rounded up: a small model is not none
