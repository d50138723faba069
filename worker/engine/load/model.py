"""`load_model`: from a folder's path to a model that can decode, with progress."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .adapter import read_adapter
from .blas import running_blas
from .compute import Compute, note
from .fingerprint import fingerprint
from .folder import context_tokens, folder_name, read_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlx import nn
    from mlx_lm.tokenizer_utils import TokenizerWrapper

_CONTEXT_CAP_TOKENS = 32_768  # where nobody says how many: some configurations promise a million


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory, and what the engine's `ready` says of it."""

    model: nn.Module
    tokenizer: TokenizerWrapper
    fingerprint: str
    context_tokens: int
    device: str
    note: str
    name: str


def load_model(
    path: Path,
    *,
    progress: Callable[[str, float | None], None],
    adapter: Path | None = None,
    memory_limit_bytes: int | None = None,
    context_cap_tokens: int | None = None,
) -> Loaded:
    """Load the MLX model folder at `path`. Blocks; the thread that calls is the one that may decode with the model.

    With `adapter`, a folder too, the result is the model that was fine-tuned, and bears the adapter's name.
    On a CPU quantized weights become float32 where memory allows, since that is many times faster there. No more than
    `memory_limit_bytes` is taken as there. The context is what the model was made for, or `context_cap_tokens` if that
    is less.

    Raises:
        Refused: no such folder, or one that is incomplete, broken or not supported; one line says what to do.
        Fault: memory or disk failed, or memory is not free now.

    """
    folder = read_folder(path)
    tuning = read_adapter(adapter) if adapter else None
    progress(f"Starting MLX for {folder.name}", None)
    from .device import device, memory  # noqa: PLC0415 -- mlx is imported only after `preload` had its turn
    from .weights import load_parts  # noqa: PLC0415 -- likewise, and its libraries take two seconds

    name, is_cpu = device()
    total_bytes, free_bytes = (_at_most(memory_limit_bytes, size) for size in memory())
    blas = running_blas() if is_cpu and sys.platform == "linux" else None
    compute = Compute(name, is_cpu, blas, free_bytes, total_bytes)
    model, tokenizer, weights = load_parts(folder, tuning, compute, progress)
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        fingerprint=fingerprint(folder, tuning),
        context_tokens=context_tokens(folder.config, cap=context_cap_tokens or _CONTEXT_CAP_TOKENS),
        device=name,
        note=note(compute, weights),
        name=folder_name(tuning.path) if tuning else folder.name,
    )


def _at_most(limit_bytes: int | None, size: int | None) -> int | None:
    return min((known for known in (limit_bytes, size) if known is not None), default=None)
