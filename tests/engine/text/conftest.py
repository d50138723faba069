"""The default model's tokenizer, without its weights."""

from pathlib import Path

import pytest
from mlx_lm.tokenizer_utils import (
    load,  # pyright: ignore[reportUnknownVariableType] its options are not typed
)

from tests.engine.talk import Families
from worker.engine.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Tokenizer:
    """The real tokenizer of SmolLM2, behind its wall."""
    return Tokenizer(load(tiny_model))


@pytest.fixture(scope="session")
def families(tiny_model: Path) -> Families:
    """Models that think, of every family that tests know."""
    parsers = "json_tools qwen3_coder mistral function_gemma gemma4 pythonic kimi_k2 minicpm5 glm47 muse_spark"
    return Families(tiny_model, parsers.split())


@pytest.fixture(scope="session")
def hermes(families: Families) -> Tokenizer:
    """A model that thinks, and writes its calls as JSON between markers."""
    return families.of("json_tools")
