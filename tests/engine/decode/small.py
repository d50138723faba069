"""Small models of random weights, of every kind that keeps its state in another way, and rows to decode with them."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import mlx.core as mx
from mlx.utils import (
    tree_flatten,  # pyright: ignore[reportUnknownVariableType] its callback is not typed
    tree_unflatten,
)
from mlx_lm.models.cache import ConcatenateKVCache

from worker.engine.decode.decoder import Decoder
from worker.engine.decode.drawn import Drawn
from worker.engine.decode.model import Model
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings

VOCABULARY = 500
SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 1_000,
}
STATE_SPACE = {
    "num_heads": 4,
    "head_dim": 32,
    "state_size": 16,
    "layer_norm_epsilon": 1e-5,
    "conv_kernel": 4,
    "n_groups": 1,
    "use_bias": False,
    "use_conv_bias": True,
    "tie_word_embeddings": False,
    "time_step_limit": [0.001, 10.0],
    "time_step_rank": "auto",
}


def build(kind: str, **options: object) -> Model:
    """A model of the library's, with random weights that make it disagree with itself at every step."""
    module: Any = importlib.import_module(f"mlx_lm.models.{kind}")
    mx.random.seed(3)
    model = module.Model(module.ModelArgs.from_dict({"model_type": kind, **SIZES, **options}))
    weights = cast("list[tuple[str, mx.array]]", tree_flatten(model.parameters()))
    noise = [
        (name, mx.random.normal(old.shape) * 0.3 if old.ndim > 1 else old + mx.random.normal(old.shape) * 0.05)
        for name, old in weights
    ]
    model.update(tree_unflatten(noise))
    return model


class OneAtATime:
    """A model whose kind of cache can't be merged."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.layers = model.layers

    def __call__(self, inputs: mx.array, /, *, cache: list[Any]) -> mx.array:
        """The model's own answer."""
        return self._model(inputs, cache=cache)

    def parameters(self) -> dict[str, Any]:
        """The model's own."""
        return self._model.parameters()

    def make_cache(self) -> list[Any]:
        """Caches that know no other row."""
        return [ConcatenateKVCache() for _ in self.layers]


# A recurrence beside attention, in turns.
HYBRID: dict[str, Any] = {
    "linear_num_value_heads": 4,
    "linear_num_key_heads": 2,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
    "num_experts": 0,
    "num_experts_per_tok": 1,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "shared_expert_intermediate_size": 32,
    "moe_intermediate_size": 32,
    "rope_theta": 10_000.0,
    "partial_rotary_factor": 1.0,
    "full_attention_interval": 2,
}

# A recurrence that reads whatever it is fed.
GREEDY_STATE_SPACE = {
    "state_size": 16,
    "conv_kernel": 4,
    "use_bias": False,
    "use_conv_bias": True,
    "time_step_rank": 4,
}

KINDS: dict[str, Callable[[], Model]] = {
    "full attention": lambda: build("llama"),
    "sliding window": lambda: build("llama", layer_types=["sliding_attention", "full_attention"], sliding_window=16),
    "hybrid": lambda: build("qwen3_next", **HYBRID),
    "state space": lambda: build("mamba2", **STATE_SPACE),
    "state space that reads padding": lambda: build("mamba", **GREEDY_STATE_SPACE),
    "unmergeable": lambda: OneAtATime(build("llama")),
}


def rows(*lengths: tuple[int, int]) -> list[Row]:
    """Rows of (prompt, completion) tokens, every other one sampled."""
    return [
        Row(
            key=place,
            ids=[(place * 37 + at * at) % VOCABULARY for at in range(prompt)],
            drawn=0,
            limit=completion,
            settings=Settings(seed=place, temperature=0.9 * (place % 2), top_k=40, repeat_penalty=1.1),
        )
        for place, (prompt, completion) in enumerate(lengths)
    ]


def run(decoder: Decoder, given: Sequence[Row]) -> dict[int, list[int]]:
    """Decode rows to their limits; the ids."""
    return {key: [each.token for each in drawn] for key, drawn in run_whole(decoder, given).items()}


def run_whole(decoder: Decoder, given: Sequence[Row]) -> dict[int, list[Drawn]]:
    """Decode rows to their limits; all that is told of them."""
    for row in given:
        decoder.add(row)
    drawn: dict[int, list[Drawn]] = {row.key: [] for row in given}
    while not decoder.is_idle:
        decoder.admit()
        for each in decoder.decode():
            drawn[each.key].append(each)
        decoder.drop({row.key for row in given if row.drawn + len(drawn[row.key]) == row.limit})
        decoder.prefill()
    return drawn


def decoder_of(model: Model, *, slots: int = 8, is_ahead: bool = False, cache_bytes: int = 0) -> Decoder:
    """A warm decoder that reads in small chunks."""
    decoder = Decoder(model, ends=[], slots=slots, prefill_step=16, cache_bytes=cache_bytes, is_ahead=is_ahead)
    decoder.warm_up()
    return decoder
