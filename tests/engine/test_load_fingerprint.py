"""Two workers serve one queue only with the same model: the fingerprint tells."""

import json
import shutil
from pathlib import Path

import mlx.core as mx
import pytest

from worker.engine.load.fingerprint import fingerprint
from worker.engine.load.folder import read_folder


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may change."""
    return shutil.copytree(tiny_model, tmp_path / "another-name")


def of(path: Path) -> str:
    """The fingerprint of a folder."""
    return fingerprint(read_folder(path))


def test_a_copy_has_the_same_fingerprint(tiny_model: Path, copy: Path) -> None:
    """Where a folder lies and what it is called makes no difference."""
    assert of(copy) == of(tiny_model)


def test_how_weights_are_cut_into_files_makes_no_difference(deepseek_moe: Path, tmp_path: Path) -> None:
    """The same weights in one file and in three are one model."""
    whole = shutil.copytree(deepseek_moe, tmp_path / "m", ignore=shutil.ignore_patterns("model*"))
    weights: dict[str, mx.array] = {}
    for shard in deepseek_moe.glob("*.safetensors"):
        part = mx.load(str(shard))
        assert isinstance(part, dict)
        weights |= part
    mx.save_safetensors(str(whole / "model.safetensors"), weights)

    assert of(whole) == of(deepseek_moe)


def test_notes_of_whoever_saved_the_folder_make_no_difference(tiny_model: Path, copy: Path) -> None:
    """A configuration that was written again by another version of a library is the same configuration."""
    config = json.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_text(json.dumps({"transformers_version": "5.1.0"} | config, indent=7))

    assert of(copy) == of(tiny_model)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("config.json", '"rope_theta": 10000.0', '"rope_theta": 20000.0'),
        ("chat_template.jinja", "You are a helpful", "You are an unhelpful"),
        ("tokenizer_config.json", '"eos_token": "<|im_end|>"', '"eos_token": "<|endoftext|>"'),
    ],
)
def test_another_text_is_another_model(tiny_model: Path, copy: Path, file: str, old: str, new: str) -> None:
    """What changes an answer changes the fingerprint: configuration, tokenizer, template."""
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))

    assert of(copy) != of(tiny_model)


def test_a_fine_tuned_sister_is_another_model(tiny_model: Path, copy: Path) -> None:
    """Other values in tensors of the same names and shapes are seen, though not all of the data is read."""
    weights = mx.load(str(copy / "model.safetensors"))
    assert isinstance(weights, dict)
    tuned = {name: weight * 1.01 for name, weight in weights.items()}
    mx.save_safetensors(str(copy / "model.safetensors"), tuned)

    assert of(copy) != of(tiny_model)
