"""`load_model`: from a folder's path to a model that can decode, with progress."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .blas import running_blas
from .compute import Compute, note
from .fingerprint import fingerprint
from .folder import context_tokens, read_folder
from .memory import available_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mlx import nn
    from mlx_lm.tokenizer_utils import TokenizerWrapper

_CONTEXT_CAP_TOKENS = 32_768


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
    path: Path, *, progress: Callable[[str, float | None], None], context_cap_tokens: int = _CONTEXT_CAP_TOKENS
) -> Loaded:
    """Load the MLX model folder at `path`. Blocks; the thread that calls is the one that may decode with the model.

    On a CPU quantized weights become float32 where memory allows, since that is many times faster there.

    Raises:
        Refused: no such folder, or one that is incomplete, broken or not supported; one line says what to do.
        Fault: memory or disk failed.

    """
    folder = read_folder(path)
    progress(f"Starting MLX for {folder.name}", None)
    from .device import device  # noqa: PLC0415 -- mlx is imported only after `preload` had its turn
    from .weights import load_parts  # noqa: PLC0415 -- likewise, and its libraries take two seconds

    name, is_cpu = device()
    compute = Compute(name, is_cpu, running_blas() if is_cpu and sys.platform == "linux" else None, available_bytes())
    model, tokenizer, weights = load_parts(folder, compute, progress)
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        fingerprint=fingerprint(folder),
        context_tokens=context_tokens(folder.config, cap=context_cap_tokens),
        device=name,
        note=note(compute, weights),
        name=folder.name,
    )
