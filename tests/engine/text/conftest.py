"""The default model's tokenizer, without its weights."""

from pathlib import Path

import pytest
from mlx_lm.tokenizer_utils import (
    load,  # pyright: ignore[reportUnknownVariableType] its options are not typed
)

from worker.engine.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Tokenizer:
    """The real tokenizer of SmolLM2, behind its wall."""
    return Tokenizer(load(tiny_model))
