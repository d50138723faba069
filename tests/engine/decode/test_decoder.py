"""The decoder on small models of random weights, of every kind that keeps its state in another way.

pytest's own process has MLX's reference BLAS, on which a row is the same bit for bit in any batch.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, cast

import mlx.core as mx
import pytest
from mlx.utils import (
    tree_flatten,  # pyright: ignore[reportUnknownVariableType] its callback is not typed
    tree_unflatten,
)
from mlx_lm.models.cache import ConcatenateKVCache

from worker.engine.decode.decoder import Decoder
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

    def make_cache(self) -> list[Any]:
        """Caches that know no other row."""
        return [ConcatenateKVCache() for _ in self.layers]


KINDS: dict[str, Callable[[], Model]] = {
    "full attention": lambda: build("llama"),
    "sliding window": lambda: build("llama", layer_types=["sliding_attention", "full_attention"], sliding_window=16),
    "state space": lambda: build("mamba2", **STATE_SPACE),
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
    """Decode rows to their limits."""
    for row in given:
        decoder.add(row)
    drawn: dict[int, list[int]] = {row.key: [] for row in given}
    while not decoder.is_idle:
        decoder.admit()
        for key, token in decoder.decode():
            drawn[key].append(token)
        decoder.drop({row.key for row in given if row.drawn + len(drawn[row.key]) == row.limit})
        decoder.prefill()
    return drawn


def decoder_of(model: Model, *, slots: int = 8, is_ahead: bool = False) -> Decoder:
    """A warm decoder that reads in small chunks."""
    decoder = Decoder(model, ends=[], slots=slots, prefill_step=16, is_ahead=is_ahead)
    decoder.warm_up()
    return decoder


MIXED = rows((5, 30), (1, 20), (40, 25), (140, 10), (20, 40), (3, 5))


@pytest.mark.parametrize("build_model", KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_rows_are_the_same_together_and_alone(build_model: Callable[[], Model], is_ahead: bool) -> None:
    """Whatever state a model keeps, and whether steps are computed ahead or not."""
    decoder = decoder_of(build_model(), is_ahead=is_ahead)

    alone = [run(decoder, [row])[row.key] for row in MIXED]

    assert list(run(decoder, MIXED).values()) == alone
    assert [len(ids) for ids in alone] == [row.limit for row in MIXED]


def test_a_model_that_can_not_be_batched_is_served_one_at_a_time() -> None:
    """It is slower, but it is served: its decoder has one slot, and says so."""
    decoder = decoder_of(KINDS["unmergeable"]())

    assert decoder.slots == 1
    assert run(decoder, MIXED) == run(decoder_of(KINDS["full attention"]()), MIXED)


@pytest.mark.parametrize("is_ahead", [False, True], ids=["lockstep", "ahead"])
def test_a_dropped_row_leaves_the_others_undisturbed(is_ahead: bool) -> None:
    """Wherever it was: waiting, being read, or in the batch."""
    decoder = decoder_of(KINDS["full attention"](), slots=3, is_ahead=is_ahead)
    survivor = rows((9, 30))[0]
    undisturbed = run(decoder, [survivor])[survivor.key]
    others = [Row(key=key, ids=[key] * (key * 40), drawn=0, limit=99, settings=Settings()) for key in (1, 2, 3, 4)]
    drawn: list[int] = []

    for row in (survivor, *others):
        decoder.add(row)
    for turn in range(40):
        decoder.admit()
        drawn += [token for key, token in decoder.decode() if key == survivor.key]
        decoder.drop({turn} if turn in (1, 2, 3, 4) else set())
        if len(drawn) == survivor.limit:
            decoder.drop({survivor.key})
        decoder.prefill()

    assert drawn == undisturbed
    assert decoder.is_idle
    assert decoder.kv_bytes == 0


def test_a_resumed_row_goes_on_as_the_undisturbed_one() -> None:
    """State that was read is the state that was decoded, and draws are counted from the completion's first."""
    decoder = decoder_of(KINDS["full attention"]())
    whole = run(decoder, MIXED)

    rest = run(
        decoder,
        [
            Row(key=row.key, ids=[*row.ids, *whole[row.key][:3]], drawn=3, limit=row.limit, settings=row.settings)
            for row in MIXED
        ],
    )

    assert rest == {key: ids[3:] for key, ids in whole.items()}


def test_any_prefill_step_will_do() -> None:
    """A step of one token is slow, and nothing else."""
    model = KINDS["full attention"]()
    small = Decoder(model, ends=[], slots=8, prefill_step=1, is_ahead=False)
    small.warm_up()

    assert run(small, MIXED[:3]) == run(decoder_of(model), MIXED[:3])


def test_slots_are_never_exceeded_and_never_idle() -> None:
    """As many rows run as there are slots, while others wait."""
    decoder = decoder_of(KINDS["full attention"](), slots=2)
    for row in rows(*[(4, 5)] * 7):
        decoder.add(row)

    decoder.admit()

    assert (decoder.busy, decoder.waiting, decoder.tokens_to_read) == (2, 5, 7 * 3)
    assert decoder.admit() == []
