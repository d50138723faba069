"""What a model needs of a machine, from its configuration alone."""

import json
from pathlib import Path

import pytest

from worker.catalog.needs import kv_bytes, read_needs

LLAMA = {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64}
LATENT = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (LLAMA, 2 * 2 * 4 * 16 * 2),
        (LLAMA | {"num_key_value_heads": 2, "head_dim": 32}, 2 * 2 * 2 * 32 * 2),
        ({"model_type": "outer", "text_config": LLAMA}, 2 * 2 * 4 * 16 * 2),
        (LLAMA | {"layer_types": ["sliding_attention", "full_attention"]}, 1 * 2 * 4 * 16 * 2),
        (LLAMA | {"sliding_window_pattern": 2}, 1 * 2 * 4 * 16 * 2),
        (LLAMA | {"model_type": "deepseek_v3"} | LATENT, 2 * (512 + 64) * 2),
        (LLAMA | {"model_type": "deepseek_v2"} | LATENT, 2 * 4 * (128 + 64 + 128) * 2),
        (LLAMA | {"mamba_d_state": 16}, None),
        ({}, None),
    ],
)
def test_the_state_of_a_token_is_computed_where_it_is_known(config: dict[str, object], size: int | None) -> None:
    """Keys and values of the layers that see everything; nothing is guessed for other kinds of state."""
    assert kv_bytes(config) == size


def test_a_folder_tells_its_needs(tmp_path: Path) -> None:
    """Weights are what they take on disk, and memory leaves room for a short conversation."""
    config = LLAMA | {"num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(bytes(3_000_000))

    needs = read_needs(tmp_path)

    assert (needs.family, needs.kv_mb) == ("llama", 525)
    assert needs.memory_mb == 3 + 4 * 524 + 2
    assert needs.disk_mb == 4
