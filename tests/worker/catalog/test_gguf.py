"""A GGUF file's metadata and names, turned into those of an MLX folder."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from msgspec.structs import replace

from shared.errors import Fault, PoolError, Refused
from worker.catalog.conversion import import_gguf
from worker.catalog.gguf import Header, mlx_config, mlx_name, read_header, rotary_heads
from worker.catalog.vocabulary import tokenizer_json

METADATA: dict[str, object] = {
    "general.architecture": "llama",
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 96,
    "llama.block_count": 1,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.context_length": 512,
    "llama.attention.layer_norm_rms_epsilon": 9.999999747378752e-06,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.tokens": ["<|end|>", "a", "b", "ab"],
    "tokenizer.ggml.token_type": [3, 1, 1, 1],
    "tokenizer.ggml.merges": ["a b"],
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 0,
    "tokenizer.chat_template": "{{ messages }}",
}


@pytest.fixture
def header() -> Header:
    """The metadata of a small llama."""
    return read_header(METADATA)


@pytest.mark.parametrize(
    ("tensor", "name"),
    [
        ("blk.3.attn_q.scales", "model.layers.3.self_attn.q_proj.scales"),
        ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight"),
        ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight"),
        ("token_embd.biases", "model.embed_tokens.biases"),
        ("output_norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
    ],
)
def test_tensors_get_their_names(tensor: str, name: str) -> None:
    """Each tensor of a llama has one place."""
    assert mlx_name(tensor) == name


def test_a_tensor_without_a_place_is_refused() -> None:
    """A model with more than a plain llama's tensors is not imported in part."""
    with pytest.raises(Refused, match=r"rope_freqs\.weight"):
        mlx_name("rope_freqs.weight")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"general.architecture": "mamba"}, "its architecture is mamba"),
        ({"tokenizer.ggml.model": "llama"}, "its vocabulary is llama/smollm"),
        ({"tokenizer.ggml.pre": "qwen2"}, "its vocabulary is gpt2/qwen2"),
        ({"llama.block_count": None}, "block_count"),
    ],
)
def test_what_is_not_converted_is_refused_with_its_reason(changed: dict[str, object], why: str) -> None:
    """Nothing is guessed: a vocabulary split in another way would give a model that talks nonsense."""
    with pytest.raises(Refused, match=why) as caught:
        read_header(METADATA | changed)

    assert caught.value.code == "unsupported"


def test_only_queries_and_keys_are_in_rotary_order(header: Header) -> None:
    """Their rows are moved back by heads; all other tensors stay."""
    assert rotary_heads("blk.0.attn_q.weight", header) == 4
    assert rotary_heads("blk.0.attn_k.scales", header) == 2
    assert rotary_heads("blk.0.attn_v.weight", header) is None


def test_the_config_says_how_each_module_is_quantized(header: Header) -> None:
    """What most modules have is the rule, others are named; what float32 has rounded is written as it was meant."""
    config = mlx_config(header, {"a": (32, 4), "b": (32, 4), "c": (32, 8)}, tied=True)

    assert config["quantization"] == {"group_size": 32, "bits": 4, "c": {"group_size": 32, "bits": 8}}
    assert config["rms_norm_eps"] == 1e-5
    assert config["tie_word_embeddings"] is True
    assert "quantization" not in mlx_config(header, {}, tied=False)


def test_whatever_ends_a_text_ends_a_turn(header: Header) -> None:
    """Behind each control token that ends a text another would begin, whichever the file names; words end nothing."""
    tokens = ["<|im_end|>", "<|endoftext|>", "<|im_start|>", "<|eot_id|>"]
    many = replace(header, tokens=tokens, token_types=[3, 3, 3, 1])

    assert mlx_config(many, {}, tied=True)["eos_token_id"] == [0, 1]
    assert mlx_config(header, {}, tied=True)["eos_token_id"] == [0]


def test_control_tokens_are_whole_and_special(header: Header) -> None:
    """Text can't forge a control token by pieces, and decoding can leave them out."""
    content = json.loads(json.dumps(tokenizer_json(header)))

    assert [(token["id"], token["content"], token["special"]) for token in content["added_tokens"]] == [
        (0, "<|end|>", True)
    ]
    assert content["model"]["merges"] == [["a", "b"]]


def stored(value: Any) -> Any:
    """Give a value as mlx stores it in a GGUF file: numbers as arrays, texts as they are."""
    if isinstance(value, float):
        return mx.array(value, mx.float32)
    if isinstance(value, int):
        return mx.array(value, mx.uint32)
    return mx.array(value) if isinstance(value[0], int) else value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A GGUF file, written by mlx itself, whose tensors are numbered by rows."""
    rows = mx.arange(64, dtype=mx.float32)[:, None] * mx.ones((64, 64))
    tensors = {"blk.0.attn_q.weight": rows, "blk.0.attn_v.weight": rows[:32], "output_norm.weight": mx.ones((64,))}
    metadata: dict[str, Any] = {key: stored(value) for key, value in METADATA.items()}
    mx.save_gguf(str(tmp_path / "small.gguf"), tensors, metadata)
    return tmp_path / "small.gguf"


def test_rows_of_queries_come_back_to_their_heads(file: Path, tmp_path: Path) -> None:
    """Within a head of 16 rows the file has rows 0, 8, 1, 9 and so on; MLX wants 0, 1, 2."""
    folder = tmp_path / "m"
    folder.mkdir()

    import_gguf(file, folder, lambda message, done: None)

    weights = mx.load(str(folder / "model.safetensors"))
    assert isinstance(weights, dict)
    rows = weights["model.layers.0.self_attn.q_proj.weight"][:, 0]
    assert rows[:17].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 16]
    assert {weight.dtype for weight in weights.values()} == {mx.bfloat16}
    assert json.loads((folder / "config.json").read_bytes())["num_hidden_layers"] == 1
    assert (folder / "chat_template.jinja").read_text() == "{{ messages }}"


@pytest.mark.parametrize(
    ("content", "sha256", "error", "why"),
    [
        (None, None, Refused, "can't be read"),
        (b"PK\3\4", None, Refused, "is not a GGUF file"),
        (b"GGUF\3", None, Refused, "can't be read as GGUF"),
        (b"GGUF\3", "0" * 64, Fault, "is damaged"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    tmp_path: Path, content: bytes | None, sha256: str | None, error: type[PoolError], why: str
) -> None:
    """Missing, foreign, cut short or changed: the file is named and nothing is written."""
    if content is not None:
        (tmp_path / "x.gguf").write_bytes(content)
    (tmp_path / "m").mkdir()

    with pytest.raises(error, match=why):
        import_gguf(tmp_path / "x.gguf", tmp_path / "m", lambda message, done: None, sha256=sha256)

    assert list((tmp_path / "m").iterdir()) == []
