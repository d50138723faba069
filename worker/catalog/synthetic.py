"""Small models of random weights and a real architecture, for tests and benches: quick to write and to run.

Each is a normal MLX folder with the default model's tokenizer, and holds the same bytes whenever it is written.
"""

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from .architectures import DEEPSEEK_MOE, TINY, Config, Shape, shapes
from .ensure import create, ensure
from .progress import untold

if TYPE_CHECKING:
    import mlx.core as mx

_TEXT_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
# So far apart lie the logits that rounding, which differs from batch to batch, seldom turns their order.
_LOGIT_SPREAD = 4.0
_MARKS = {"__type": "AddedToken", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
# As published: a class which transformers can't use for this vocabulary, and tokens described at length.
_DEEPSEEK_TOKENIZER = {
    "tokenizer_class": "LlamaTokenizerFast",
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": _MARKS | {"content": "<|im_start|>"},
    "eos_token": _MARKS | {"content": "<|im_end|>"},
    "pad_token": _MARKS | {"content": "<|im_end|>"},
    "unk_token": None,
    "legacy": True,
    "model_max_length": 16384,
    "sp_model_kwargs": {},
    "clean_up_tokenization_spaces": False,
}


def write_tiny(folder: Path, *, tokenizer: Path | None = None) -> None:
    """Write a llama of 2 layers and 64 dimensions in one file: for throughput and chaos, where text does not matter."""
    _create(folder, tokenizer, lambda partial: _write_weights(partial, TINY, files=1))


def write_deepseek_moe(folder: Path, *, tokenizer: Path | None = None) -> None:
    """Write a 4-bit DeepSeek-MoE in three files with an index, laid out as `deepseek-moe-16b-chat-mlx-q4_0` is."""

    def fill(partial: Path) -> None:
        _write_weights(partial, DEEPSEEK_MOE, files=3)
        (partial / "tokenizer_config.json").write_text(json.dumps(_DEEPSEEK_TOKENIZER))

    _create(folder, tokenizer, fill)


WRITERS: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {"tiny": write_tiny, "deepseek-moe": write_deepseek_moe}
)


def _create(folder: Path, tokenizer: Path | None, write: Callable[[Path], None]) -> None:
    """Write the folder whole or not at all, with the tokenizer of another model folder: the default model's if None."""
    source = tokenizer or ensure("smollm2-135m", untold)

    def fill(partial: Path) -> None:
        for name in _TEXT_FILES:
            shutil.copyfile(source / name, partial / name)
        write(partial)

    create(folder.absolute(), fill, untold)


def _write_weights(folder: Path, config: Config, *, files: int) -> None:
    import mlx.core as mx  # noqa: PLC0415 -- the list of models does not need it

    tensors: dict[str, mx.array] = {}
    for number, (name, shape) in enumerate(shapes(config).items()):
        tensors |= _stored(name, _random(name, shape, number), config)
    names = list(tensors)
    share = math.ceil(len(names) / files)
    weight_map: dict[str, str] = {}
    for number in range(files):
        part = names[number * share : (number + 1) * share]
        file = f"model-{number + 1:05}-of-{files:05}.safetensors" if files > 1 else "model.safetensors"
        mx.save_safetensors(str(folder / file), {name: tensors[name] for name in part}, metadata={"format": "mlx"})
        weight_map |= dict.fromkeys(part, file)
    size = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1))
    (folder / "config.json").write_text(json.dumps(config, indent=1))


def _random(name: str, shape: Shape, seed: int) -> "mx.array":
    """Draw a tensor so that activations keep their size from layer to layer; a norm is all ones."""
    import mlx.core as mx  # noqa: PLC0415 -- as above

    if len(shape) == 1:
        return mx.ones(shape, mx.float16)
    spread = 1.0 if "embed" in name else (_LOGIT_SPREAD if "lm_head" in name else 1.0) / math.sqrt(shape[-1])
    return (mx.random.normal(shape, key=mx.random.key(seed)) * spread).astype(mx.float16)


def _stored(name: str, tensor: "mx.array", config: Config) -> dict[str, "mx.array"]:
    """Quantize a tensor as mlx-lm's own conversion does: all matrices but the router's."""
    import mlx.core as mx  # noqa: PLC0415 -- as above

    quantization = config.get("quantization")
    if quantization is None or tensor.ndim == 1 or name.endswith("mlp.gate.weight"):
        return {name: tensor}
    weight, scales, biases = mx.quantize(tensor, **quantization)
    module = name.removesuffix("weight")
    return {name: weight, f"{module}scales": scales, f"{module}biases": biases}
