"""Float32 on the CPU, where 4-bit arithmetic and half floats have no fast path: how much it takes, and doing it."""

from collections.abc import Callable
from typing import Any, cast

import mlx.core as mx
from mlx import nn
from mlx.utils import (
    tree_flatten,  # pyright: ignore[reportUnknownVariableType] its callback is not fully typed
    tree_unflatten,
)
from mlx_lm.models.mla import MultiLinear, QuantizedMultiLinear
from mlx_lm.models.switch_layers import QuantizedSwitchLinear, SwitchLinear

# Each quantized module, and how to make an empty one of the plain kind: its weight is put in afterwards.
_PLAIN: dict[type[nn.Module], Callable[[], Any]] = {
    nn.QuantizedLinear: lambda: nn.Linear(1, 1, bias=False),
    nn.QuantizedEmbedding: lambda: nn.Embedding(1, 1),
    QuantizedSwitchLinear: lambda: SwitchLinear(1, 1, 1, bias=False),
    QuantizedMultiLinear: lambda: MultiLinear(1, 1, 1),
}
_FLOAT32_BYTES = 4


def float32_bytes(model: nn.Module) -> int:
    """Count the bytes of the model's weights, were they all float32."""
    return sum(_values(module) * _FLOAT32_BYTES for _, module in leaves(model))


def dequantize(model: nn.Module) -> None:
    """Put float32 modules in the place of quantized ones; nothing is computed yet."""
    for path, module in leaves(model):
        if plain := _PLAIN.get(module.__class__):
            model.update_modules(tree_unflatten([(path, _dequantized(module, plain()))]))


def widen(model: nn.Module, *, matrices: bool) -> None:
    """Make the model's half floats float32, in place; nothing is computed yet.

    Without `matrices` only norms, and the scales of what is quantized: so activations at least are float32, and
    arithmetic in half floats, by far the slowest on a CPU, is avoided where that costs next to no memory.
    """
    scales = {f"{path}.{name}" for path, module in leaves(model) if type(module) in _PLAIN for name in module}
    parameters = flat(model.parameters())
    chosen = [(path, value) for path, value in parameters if matrices or value.ndim <= 1 or path in scales]
    model.update(tree_unflatten([(path, _float32(value)) for path, value in chosen]))


def leaves(model: nn.Module) -> list[tuple[str, Any]]:
    """List the modules that hold weights and no other modules, with their paths, in the model's order."""
    return flat(model.leaf_modules(), is_leaf=_is_module)


def flat(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> list[tuple[str, Any]]:
    """List a tree's leaves with their paths."""
    # The stub says more than holds: without a destination the result is a list of pairs.
    return cast("list[tuple[str, Any]]", tree_flatten(tree, is_leaf=is_leaf))


def _is_module(value: Any) -> bool:
    return isinstance(value, nn.Module)


def _dequantized(module: Any, plain: Any) -> Any:
    plain.weight = mx.dequantize(
        module.weight,
        module.scales,
        module.get("biases"),
        module.group_size,
        module.bits,
        module.mode,
        module.get("global_scale"),
        dtype=mx.float32,
    )
    if "bias" in module:
        plain.bias = module.bias
    return plain.freeze()


def _float32(value: mx.array) -> mx.array:
    return value.astype(mx.float32) if mx.issubdtype(value.dtype, mx.floating) else value


def _values(module: Any) -> int:
    if type(module) in _PLAIN:
        return module.weight.size * 32 // module.bits
    return sum(value.size for _, value in flat(module.parameters()))
