"""The architectures of which random models are made: their configurations, and their tensors by name and shape."""

from typing import Any

Shape = tuple[int, ...]
Config = dict[str, Any]

TINY: Config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# Field for field what the published 16B chat model has, but for the sizes and the token ids.
DEEPSEEK_MOE: Config = {
    "architectures": ["DeepseekForCausalLM"],
    "auto_map": {
        "AutoConfig": "configuration_deepseek.DeepseekConfig",
        "AutoModel": "modeling_deepseek.DeepseekModel",
        "AutoModelForCausalLM": "modeling_deepseek.DeepseekForCausalLM",
    },
    "model_type": "deepseek",
    "attention_bias": False,
    "hidden_act": "silu",
    "hidden_size": 128,
    "intermediate_size": 256,
    "moe_intermediate_size": 64,
    "n_routed_experts": 8,
    "n_shared_experts": 2,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "norm_topk_prob": False,
    "scoring_func": "softmax",
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000,
    "rope_scaling": None,
    "vocab_size": 49152,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
    "quantization": {"group_size": 64, "bits": 4},
}


def shapes(config: Config) -> dict[str, Shape]:
    """List the tensors of a model of this configuration, before quantization, in the model's order."""
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    tensors: dict[str, Shape] = {"model.embed_tokens.weight": (vocabulary, hidden)}
    for layer in range(config["num_hidden_layers"]):
        tensors |= {f"model.layers.{layer}.{name}.weight": shape for name, shape in _layer(config, layer).items()}
    return tensors | {"model.norm.weight": (hidden,), "lm_head.weight": (vocabulary, hidden)}


def _layer(config: Config, layer: int) -> dict[str, Shape]:
    hidden = config["hidden_size"]
    kv_width = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    return {
        "input_layernorm": (hidden,),
        "self_attn.q_proj": (hidden, hidden),
        "self_attn.k_proj": (kv_width, hidden),
        "self_attn.v_proj": (kv_width, hidden),
        "self_attn.o_proj": (hidden, hidden),
        "post_attention_layernorm": (hidden,),
    } | _feed_forward(config, layer)


def _feed_forward(config: Config, layer: int) -> dict[str, Shape]:
    hidden = config["hidden_size"]
    experts = config.get("n_routed_experts")
    if experts is None or layer < config["first_k_dense_replace"]:
        return _gated("mlp", (), config["intermediate_size"], hidden)
    width = config["moe_intermediate_size"]
    return (
        {"mlp.gate": (experts, hidden)}
        | _gated("mlp.switch_mlp", (experts,), width, hidden)
        | _gated("mlp.shared_experts", (), width * config["n_shared_experts"], hidden)
    )


def _gated(name: str, experts: Shape, width: int, hidden: int) -> dict[str, Shape]:
    return {
        f"{name}.gate_proj": (*experts, width, hidden),
        f"{name}.up_proj": (*experts, width, hidden),
        f"{name}.down_proj": (*experts, hidden, width),
    }
