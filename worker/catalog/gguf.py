"""GGUF to MLX: what the file says about its model, as values. Tensors are moved by `conversion`, this module is pure.

Only what has been checked against the original is taken: the llama architecture with a byte-level vocabulary. Sources:
the GGUF specification's metadata keys, and the rotary order in which llama.cpp stores query and key rows.
"""

from collections.abc import Mapping

import msgspec

from shared.errors import Refused

_MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_PARTS = ("weight", "scales", "biases")
_CONTROL = 3  # the token type of special tokens
# Control tokens behind which another text begins. llama.cpp ends a generation at any of them, whichever the file names
# as its end of turn; a model without instructions to the contrary writes the end of a document.
_ENDS = frozenset({"<|endoftext|>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>"})


_KEYS = {
    "architecture": "general.architecture",
    "hidden_size": "llama.embedding_length",
    "intermediate_size": "llama.feed_forward_length",
    "layers": "llama.block_count",
    "heads": "llama.attention.head_count",
    "kv_heads": "llama.attention.head_count_kv",
    "context_tokens": "llama.context_length",
    "rms_norm_eps": "llama.attention.layer_norm_rms_epsilon",
    "rope_base": "llama.rope.freq_base",
    "vocabulary_kind": "tokenizer.ggml.model",
    "vocabulary_split": "tokenizer.ggml.pre",
    "tokens": "tokenizer.ggml.tokens",
    "token_types": "tokenizer.ggml.token_type",
    "merges": "tokenizer.ggml.merges",
    "bos_id": "tokenizer.ggml.bos_token_id",
    "eos_id": "tokenizer.ggml.eos_token_id",
    "chat_template": "tokenizer.chat_template",
}


class Header(msgspec.Struct, frozen=True, rename=_KEYS):
    """The metadata of a GGUF file that the conversion needs."""

    architecture: str
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    context_tokens: int
    rms_norm_eps: float
    rope_base: float
    vocabulary_kind: str
    vocabulary_split: str
    tokens: list[str]
    token_types: list[int]
    merges: list[str]
    bos_id: int
    eos_id: int
    chat_template: str

    @property
    def special_ids(self) -> list[int]:
        """The ids that stand for control tokens, which no text encodes to."""
        return [i for i, kind in enumerate(self.token_types) if kind == _CONTROL]

    @property
    def end_ids(self) -> list[int]:
        """The ids that end a turn, the file's own first."""
        return [self.eos_id, *(i for i in self.special_ids if self.tokens[i] in _ENDS and i != self.eos_id)]


def read_header(metadata: Mapping[str, object]) -> Header:
    """Parse a file's metadata.

    Raises:
        Refused: another architecture or vocabulary than those that are converted here.

    """
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise _not_converted(f"its architecture is {architecture}, not llama")
    try:
        header = msgspec.convert(metadata, Header, strict=False)
    except msgspec.ValidationError as error:
        raise _not_converted(str(error)) from error
    if header.vocabulary_kind != "gpt2" or header.vocabulary_split not in {"smollm", "gpt-2", "default"}:
        raise _not_converted(
            f"its vocabulary is {header.vocabulary_kind}/{header.vocabulary_split}, not gpt2/smollm or gpt2/gpt-2"
        )
    return header


def mlx_name(tensor: str) -> str:
    """Translate a tensor's name: `blk.3.attn_q.scales` becomes `model.layers.3.self_attn.q_proj.scales`."""
    match tensor.split("."):
        case ["blk", layer, module, part] if module in _MODULES and part in _PARTS:
            return f"model.layers.{layer}.{_MODULES[module]}.{part}"
        case [module, part] if module in _OUTER and part in _PARTS:
            return f"{_OUTER[module]}.{part}"
        case _:
            raise _not_converted(f"it has a tensor {tensor}, which a plain llama has not")


def rotary_heads(tensor: str, header: Header) -> int | None:
    """Count the heads whose rows are interleaved for llama.cpp's rotary order; None where rows are in MLX's order."""
    if ".attn_q." in tensor:
        return header.heads
    return header.kv_heads if ".attn_k." in tensor else None


def mlx_config(header: Header, quantization: Mapping[str, tuple[int, int]], *, tied: bool) -> dict[str, object]:
    """Write the config.json of an MLX model folder; `quantization` has (group size, bits) of each quantized module."""
    kinds = list(quantization.values())
    config: dict[str, object] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": header.hidden_size,
        "intermediate_size": header.intermediate_size,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "num_key_value_heads": header.kv_heads,
        "head_dim": header.hidden_size // header.heads,
        "max_position_embeddings": header.context_tokens,
        "rms_norm_eps": float(f"{header.rms_norm_eps:.6g}"),  # it was rounded to float32
        "rope_theta": header.rope_base,
        "vocab_size": len(header.tokens),
        "tie_word_embeddings": tied,
        "bos_token_id": header.bos_id,
        "eos_token_id": header.end_ids,
    }
    if kinds:
        usual = max(set(kinds), key=kinds.count)
        others = {module: _kind(kind) for module, kind in sorted(quantization.items()) if kind != usual}
        config["quantization"] = _kind(usual) | others
    return config


def _kind(kind: tuple[int, int]) -> dict[str, object]:
    return {"group_size": kind[0], "bits": kind[1]}


def _not_converted(why: str) -> Refused:
    return Refused(
        "unsupported", f"This GGUF file can't be imported: {why}. Use an MLX build of the model instead.", param="model"
    )
