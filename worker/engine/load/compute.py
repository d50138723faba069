"""On what, and with weights in which form, the model is computed: decided from plain values, and told to people."""

from typing import Literal

import msgspec

Weights = Literal["as on disk", "float32"]

ADVICE = (
    "apt install libopenblas0-pthread, or pip install 'mlx-pool[fast-cpu]' (in a checkout: uv sync --extra fast-cpu)"
)
_FLOAT32_SHARE = 0.8  # of the free memory; the rest is for the prompt cache, activations and the others on the machine


class Compute(msgspec.Struct, frozen=True):
    """What the process computes on. `blas` is the name of a fast one, on a CPU; None stands for the reference BLAS."""

    device: str
    is_cpu: bool
    blas: str | None = None
    free_bytes: int | None = None  # None: not known, taken as enough
    total_bytes: int | None = None  # likewise


def cpu_weights(float32_bytes: int, free_bytes: int | None) -> Weights:
    """Decide whether a CPU holds the weights as float32, its one fast form, or as on disk for want of memory."""
    return "float32" if free_bytes is None or float32_bytes <= free_bytes * _FLOAT32_SHARE else "as on disk"


def note(compute: Compute, weights: Weights) -> str:
    """Say in a line which path runs, and where there is a faster one, how to get it."""
    if not compute.is_cpu:
        return f"GPU, weights {weights}"
    told = f"CPU, weights {weights}, {compute.blas or 'reference BLAS'}"
    if weights == "as on disk":
        return f"{told}: float32 weights would be much faster, but do not fit the free memory; take a smaller model"
    return told if compute.blas else f"{told}: prompts and batches ten times faster with {ADVICE}"
