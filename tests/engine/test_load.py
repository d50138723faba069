"""Any MLX model folder becomes a model that decodes, with progress, and says on what it runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.generate import (
    generate,  # pyright: ignore[reportUnknownVariableType] its options are not typed
)

from shared.errors import Refused
from worker.catalog.resolve import resolve
from worker.engine.load import Loaded, load_model
from worker.engine.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def smollm2_loaded(smollm2: Path) -> Loaded:
    """The default model, loaded once for the module."""
    return load(smollm2)


def load(path: Path) -> Loaded:
    """Load a model folder, not looking at the progress."""
    return load_model(path, progress=lambda message, done: None)


def answer(loaded: Loaded, prompt: str, *, tokens: int) -> str:
    """Generate greedily after a chat prompt."""
    tokenizer: Any = loaded.tokenizer  # it hands most calls on to another class, which no checker sees
    ids: list[int] = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True)
    return generate(loaded.model, loaded.tokenizer, ids, max_tokens=tokens)


def test_the_imported_default_model_knows_the_capital_of_france(smollm2_loaded: Loaded) -> None:
    """The import keeps every weight and token in its place: a wrong row or merge would give nonsense."""
    assert answer(smollm2_loaded, "What is the capital of France?", tokens=12) == "The capital of France is Paris."


def test_ready_has_what_it_needs(smollm2_loaded: Loaded) -> None:
    """A loaded model tells its name, its context, its fingerprint and how it is computed."""
    assert smollm2_loaded.name == "smollm2-135m"
    assert smollm2_loaded.context_tokens == 8192
    assert len(smollm2_loaded.fingerprint) == 16
    assert smollm2_loaded.device
    assert smollm2_loaded.note.startswith(("CPU, weights float32", "GPU, weights as on disk"))


@pytest.mark.parametrize("text", ["안녕하세요", "👩‍👩‍👧‍👦 é é", "In 2024, 100%\n\n  x = 1", "<b>&amp;</b>"])
def test_text_survives_the_tokenizer(smollm2_loaded: Loaded, text: str) -> None:
    """What is encoded decodes to itself, byte by byte."""
    tokenizer = smollm2_loaded.tokenizer

    ids = tokenizer.encode(text, add_special_tokens=False)

    assert tokenizer.decode(ids) == text


def test_the_vocabulary_is_split_as_the_model_was_trained(smollm2_loaded: Loaded) -> None:
    """Each digit is a token, each control token is one id, and the ids are those of the published tokenizer."""
    tokenizer = smollm2_loaded.tokenizer

    digits = tokenizer.convert_ids_to_tokens(tokenizer.encode("12 345"))
    turn = tokenizer.encode("<|im_start|>user\nHello world<|im_end|>")

    assert digits == ["1", "2", "Ġ", "3", "4", "5"]
    assert turn == [1, 4093, 198, 19556, 905, 2]


def test_the_end_of_a_document_ends_a_turn_too(smollm2_loaded: Loaded) -> None:
    """The default model stops at <|im_end|>, and where it writes <|endoftext|> instead."""
    assert smollm2_loaded.tokenizer.eos_token_ids == {2, 0}


@pytest.mark.parametrize(
    ("config", "generation", "ends"),
    [(7, None, {7, 2}), ([7, 8], [9, 10], {9, 10, 2})],
)
def test_turns_end_where_the_folder_says(
    tiny_model: Path, tmp_path: Path, config: object, generation: object, ends: set[int]
) -> None:
    """One id or many; generation_config.json goes before config.json, and the tokenizer's own end always counts."""
    shutil.copytree(tiny_model, tmp_path / "m")
    told = json.loads((tmp_path / "m" / "config.json").read_bytes()) | {"eos_token_id": config}
    (tmp_path / "m" / "config.json").write_text(json.dumps(told))
    if generation is not None:
        (tmp_path / "m" / "generation_config.json").write_text(json.dumps({"eos_token_id": generation}))

    assert Tokenizer(load(tmp_path / "m").tokenizer).ends == ends


@pytest.mark.parametrize(("cap", "context"), [(None, 32_768), (100_000, 100_000), (200_000, 131_072), (512, 512)])
def test_a_long_context_is_had_for_the_asking(tiny_model: Path, tmp_path: Path, cap: int | None, context: int) -> None:
    """Of what a model was made for more than a usual machine holds is given only to who asks for it."""
    shutil.copytree(tiny_model, tmp_path / "m")
    told = json.loads((tmp_path / "m" / "config.json").read_bytes()) | {"max_position_embeddings": 131_072}
    (tmp_path / "m" / "config.json").write_text(json.dumps(told))

    loaded = load_model(tmp_path / "m", progress=lambda message, done: None, context_cap_tokens=cap)

    assert loaded.context_tokens == context


def test_progress_is_told_from_nothing_to_all(tiny_model: Path) -> None:
    """A reader of the progress sees it rise, and sees words for it."""
    told: list[tuple[str, float | None]] = []

    load_model(tiny_model, progress=lambda message, done: told.append((message, done)))

    shares = [done for _, done in told if done is not None]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] > 0.9
    assert all("tiny" in message for message, _ in told)


def test_a_sharded_deepseek_moe_generates(deepseek_moe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Experts, a router, shards, a foreign tokenizer class, a config that maps to code: it asks nothing and decodes."""
    loaded = load(deepseek_moe)

    text = answer(loaded, "안녕하세요", tokens=8)

    assert text
    assert loaded.name == "deepseek-moe-16b-chat-mlx-q4_0"
    assert capfd.readouterr() == ("", "")


def test_a_model_is_loaded_by_path_and_by_name(deepseek_moe: Path) -> None:
    """MLX_MODEL_PATH=./models/<folder> and the name of a folder in models/ lead to the same model and queue."""
    by_path = resolve("", models_dirs=[], env={"MLX_MODEL_PATH": str(deepseek_moe)})
    by_name = resolve("deepseek-moe-16b-chat-mlx-q4_0", models_dirs=[deepseek_moe.parent], env={})

    assert by_path == by_name
    assert load(by_name.folder).name == by_name.queue


def test_weights_may_have_any_file_name(tiny_model: Path, tmp_path: Path) -> None:
    """A folder whose one weight file is not called model.safetensors is as good."""
    shutil.copytree(tiny_model, tmp_path / "m", ignore=shutil.ignore_patterns("*.index.json"))
    (tmp_path / "m" / "model.safetensors").rename(tmp_path / "m" / "weights.safetensors")

    loaded = load(tmp_path / "m")

    assert loaded.fingerprint == load(tiny_model).fingerprint


def test_an_unknown_architecture_names_the_upgrade(tiny_model: Path, tmp_path: Path) -> None:
    """A model that is newer than mlx-lm is refused with the line that may help."""
    message = refused_with(tiny_model, tmp_path, {"model_type": "llama9"})

    assert "mlx-lm does not know llama9 models" in message
    assert "pip install -U mlx-lm" in message


def test_weights_of_another_model_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    """A configuration that does not describe the weights is found while loading, not while answering."""
    assert "does not fit its config.json" in refused_with(tiny_model, tmp_path, {"num_hidden_layers": 3})


def refused_with(model: Path, tmp_path: Path, changed: dict[str, object]) -> str:
    """Load a copy of the model with a changed configuration, and give the message."""
    shutil.copytree(model, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_bytes())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(Refused) as caught:
        load(tmp_path / "m")
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.skipif(mx.default_device() != mx.cpu, reason="on a GPU weights stay as they are")
def test_a_cpu_holds_float32(deepseek_moe: Path) -> None:
    """On a CPU nothing is left in 4 bits or half floats, in which it has no fast arithmetic."""
    from mlx.utils import tree_flatten  # pyright: ignore[reportUnknownVariableType] # noqa: PLC0415

    weights = dict(tree_flatten(load(deepseek_moe).model.parameters()))

    assert {weight.dtype for weight in weights.values()} == {mx.float32}
