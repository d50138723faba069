"""What is wrong with a model folder is told in one line, before anything is loaded."""

import json
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.engine.load import load_model
from worker.engine.load.folder import context_tokens, folder_name


def load(path: Path) -> str:
    """Load a folder that can't be loaded, and give the message."""
    with pytest.raises(Refused) as caught:
        load_model(path, progress=lambda message, done: None)
    assert "\n" not in caught.value.message
    return caught.value.message


def folder(at: Path, *, config: object = None, weights: bytes | None = None) -> Path:
    """Make a model folder of what is given."""
    at.mkdir(exist_ok=True)
    if config is not None:
        (at / "config.json").write_text(json.dumps(config))
    if weights is not None:
        (at / "model.safetensors").write_bytes(weights)
    return at


def safetensors(tensors: dict[str, object], data: bytes = b"") -> bytes:
    """Write a safetensors file by hand."""
    header = json.dumps(tensors).encode()
    return len(header).to_bytes(8, "little") + header + data


LLAMA = {"model_type": "llama", "hidden_size": 8}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A wrong path is told with the path, and with what lists the right ones."""
    message = load(tmp_path / "nowhere")

    assert f"There is no folder {tmp_path / 'nowhere'}" in message
    assert "mlx-pool models list" in message


def test_a_folder_without_config_is_no_model(tmp_path: Path) -> None:
    """Weights alone can't be loaded."""
    message = load(folder(tmp_path / "m", weights=safetensors({})))

    assert "has no config.json" in message


def test_a_gguf_file_in_a_folder_is_told_how_to_import(tmp_path: Path) -> None:
    """Who puts a GGUF file where an MLX folder belongs learns the command that turns it into one."""
    (folder(tmp_path / "m") / "model.gguf").touch()

    message = load(tmp_path / "m")

    assert "mlx-pool models import" in message


@pytest.mark.parametrize("content", ["{", "[]", '{"hidden_size": 8}', '{"model_type": 3}'])
def test_a_config_that_is_no_config_is_named(tmp_path: Path, content: str) -> None:
    """A configuration that can't be read or names no architecture is the file to look at."""
    (folder(tmp_path / "m", weights=safetensors({})) / "config.json").write_text(content)

    message = load(tmp_path / "m")

    assert "config.json" in message


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """A copy that was cut short names the first file that lacks, and how many more."""
    at = folder(tmp_path / "m", config=LLAMA)
    names = [f"model-{n:05}-of-00003.safetensors" for n in (1, 2, 3)]
    (at / names[0]).write_bytes(safetensors({}))
    (at / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict(zip("abc", names, strict=True))}))

    message = load(at)

    assert f"lacks {names[1]} and 1 more" in message


def test_a_folder_without_weights_says_so(tmp_path: Path) -> None:
    """A configuration without weights is an interrupted copy."""
    assert "has no weights" in load(folder(tmp_path / "m", config=LLAMA))


def test_pytorch_weights_are_told_how_to_convert(tmp_path: Path) -> None:
    """Pickled weights run code when loaded: they are never opened, and the message names the converter."""
    (folder(tmp_path / "m", config=LLAMA) / "pytorch_model.bin").touch()

    assert "mlx_lm.convert" in load(tmp_path / "m")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (b"", "it has no header"),
        (b"\xff" * 64, "it has no header"),
        (safetensors({"w": {"dtype": "F32"}}), "shape"),
        (
            safetensors({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, b"12345678"),
            "8 bytes are missing",
        ),
    ],
)
def test_a_broken_weight_file_is_named(tmp_path: Path, weights: bytes, why: str) -> None:
    """A damaged file is found by its header, and named with what is wrong with it."""
    message = load(folder(tmp_path / "m", config=LLAMA, weights=weights))

    assert "model.safetensors is broken" in message
    assert why in message


def test_code_that_comes_with_weights_is_never_run(tmp_path: Path) -> None:
    """A model whose architecture is a Python file of its own is refused, and the file is not executed."""
    at = folder(tmp_path / "m", config=LLAMA | {"model_file": "arch.py"}, weights=safetensors({}))
    (at / "arch.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    message = load(at)

    assert "needs its own code (arch.py)" in message
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"max_position_embeddings": 1_000_000}, 32_768),
        ({"text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"n_ctx": 2048}, 2048),
        ({}, 4096),
    ],
)
def test_the_context_is_what_the_config_says_up_to_a_cap(config: dict[str, object], tokens: int) -> None:
    """A worker promises no more context than the model was made for, nor more than a machine can hold."""
    assert context_tokens(config, cap=32_768) == tokens


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/tiny", "tiny"),
        ("models/mlx-community--Qwen3-4B-4bit", "mlx-community/Qwen3-4B-4bit"),
        ("hub/models--mlx-community--Qwen3-4B-4bit/snapshots/abc", "mlx-community/Qwen3-4B-4bit"),
    ],
)
def test_a_model_is_called_after_its_folder(tmp_path: Path, path: str, name: str) -> None:
    """A folder that was named after a hub's id gives the id back."""
    assert folder_name(tmp_path / path) == name
