"""The one place that lets mlx-lm load: weights into a model, an adapter, the tokenizer. Errors come in our words."""

import contextlib
import json
import warnings
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import mlx.core as mx
from mlx import nn
from mlx.utils import tree_unflatten
from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.utils import (
    load_adapters,  # pyright: ignore[reportUnknownVariableType] its own module is not fully typed
    load_model,  # pyright: ignore[reportUnknownVariableType] its dictionaries are not fully typed
    load_tokenizer,  # pyright: ignore[reportUnknownVariableType] its parameters are not typed
)
from transformers.utils import logging as transformers_logging

from shared.errors import Fault, PoolError, Refused

from .adapter import Adapter
from .compute import Compute, Weights, cpu_weights
from .floats import dequantize, flat, float32_bytes, leaves, widen
from .folder import ModelFolder
from .room import lack_of_room, weight_bytes

Progress = Callable[[str, float | None], None]
_TEXT_ENDINGS = {".json", ".jsonl", ".jinja", ".txt", ".model", ".tiktoken"}


def load_parts(
    folder: ModelFolder, adapter: Adapter | None, compute: Compute, progress: Progress
) -> tuple[nn.Module, TokenizerWrapper, Weights]:
    """Load the model and its tokenizer; the third value tells in which form the weights are held.

    Raises:
        Refused: mlx-lm does not know the architecture, or weights, adapter, configuration and tokenizer do not belong
            together, or the machine is too small.
        Fault: the weights can't be read, or memory does not suffice now.

    """
    if lack := lack_of_room(folder.name, weight_bytes(folder, adapter), compute):
        raise lack
    with _view(folder) as view:
        with _translated(folder, "weights"):
            progress(f"Reading {folder.name}", 0.0)
            model, config = cast("tuple[nn.Module, dict[str, Any]]", load_model(view, lazy=True))
            form: Weights = cpu_weights(float32_bytes(model), compute.free_bytes) if compute.is_cpu else "as on disk"
            if form == "float32":
                dequantize(model)
        if adapter:
            with _translated(folder, f"adapter {adapter.path.name}"):
                load_adapters(model, str(adapter.path)).eval()
        with _translated(folder, "weights"):
            if compute.is_cpu:
                widen(model, matrices=form == "float32")
            if adapter and form == "float32":
                _fuse(model)
            _evaluate(model, folder.name, progress)
        with _translated(folder, "tokenizer"):
            # The default would ask on stdin, which is the engine's pipe, whether code in the folder may be run.
            tokenizer = load_tokenizer(view, {"trust_remote_code": False}, eos_token_ids=_eos_ids(config))
    return model, tokenizer, form


def _fuse(model: nn.Module) -> None:
    """Add an adapter's low-rank products to the weights that they belong to, so that it costs nothing from then on.

    Float32 only: in fewer bits the sum is rounded, and what was learned may be smaller than the rounding.
    """
    modules = cast("list[tuple[str, Any]]", model.named_modules())
    model.update_modules(tree_unflatten([(path, module.fuse()) for path, module in modules if hasattr(module, "fuse")]))


@contextlib.contextmanager
def _view(folder: ModelFolder) -> Generator[Path]:
    """Lay out the folder as mlx-lm and transformers expect it: links to its text and weight files, but no code.

    A configuration that maps to code (`auto_map`) makes transformers ask whether to run it, also where it is not
    needed; and mlx-lm takes only weights whose names begin with `model`.
    """
    with TemporaryDirectory(prefix="mlx-pool-") as name:
        view = Path(name)
        for file in folder.path.iterdir():
            if file.suffix in _TEXT_ENDINGS and not file.name.endswith(".index.json") and file.name != "config.json":
                (view / file.name).symlink_to(file.resolve())
        config = {key: value for key, value in folder.config.items() if key != "auto_map"}
        (view / "config.json").write_text(json.dumps(config), encoding="utf-8")
        for number, file in enumerate(folder.weight_files):
            (view / f"model-{number:05}.safetensors").symlink_to(file.path.resolve())
        yield view


def _evaluate(model: nn.Module, name: str, progress: Progress) -> None:
    """Compute the lazy weights module by module: so what was read of one is freed before the next is read."""
    modules = [module for _, module in leaves(model)]
    sizes = [sum(value.nbytes for _, value in flat(module.parameters())) for module in modules]
    done, told = 0, 0
    for module, size in zip(modules, sizes, strict=True):
        mx.eval(module.parameters())
        done += size
        percent = done * 100 // max(1, sum(sizes))
        if percent >= told + 5:
            told = percent
            progress(f"Loading {name}", percent / 100)
    mx.eval(model.parameters())
    mx.clear_cache()


def _eos_ids(config: dict[str, Any]) -> list[int] | None:
    given = config.get("eos_token_id")
    return [given] if isinstance(given, int) else given


@contextlib.contextmanager
def _translated(folder: ModelFolder, part: str) -> Generator[None]:
    """Turn what two libraries raise, and they raise anything, into one line that says what to do."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # it warns of every architecture that it does not know itself
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except Exception as error:
        raise _in_our_words(folder, part, error) from error
    finally:
        transformers_logging.set_verbosity(level)


def _in_our_words(folder: ModelFolder, part: str, error: Exception) -> PoolError:
    said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    if said.startswith("Model type"):
        kind = folder.config["model_type"]
        return Refused(
            "unsupported",
            f"{folder.name}: mlx-lm does not know {kind} models. A newer one may: pip install -U mlx-lm",
            param="model",
        )
    if "trust_remote_code" in str(error):
        return Refused(
            "unsupported", f"{folder.name}: its {part} needs its own Python code, which is not run here.", param="model"
        )
    if isinstance(error, (MemoryError, RuntimeError)):
        return Fault(
            "engine_failed",
            f"{folder.name}: its {part} can't be loaded ({said}). If memory is short, take a smaller model.",
        )
    return Refused(
        "model_not_found",
        f"{folder.name}: its {part} does not fit its config.json ({said}): copy or download the model again.",
        param="model",
    )
