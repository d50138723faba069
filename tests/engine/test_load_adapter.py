"""A model with an adapter is another model: the one that mlx-lm runs with it."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx import nn
from mlx_lm.utils import (
    load_adapters,  # pyright: ignore[reportUnknownVariableType] its own module is not fully typed
)
from mlx_lm.utils import load_model as load_model_plainly  # pyright: ignore[reportUnknownVariableType] likewise

from shared.errors import Refused
from worker.engine.load import load_model
from worker.engine.load.adapter import read_adapter
from worker.engine.load.compute import Compute
from worker.engine.load.fingerprint import fingerprint
from worker.engine.load.floats import flat
from worker.engine.load.folder import read_folder
from worker.engine.load.weights import load_parts

RANK = 4
IDS = mx.array([[1, 4093]])
PARAMETERS = {"rank": RANK, "scale": 8.0, "dropout": 0.1, "keys": ["self_attn.q_proj", "self_attn.o_proj"]}
CONFIG = {
    "fine_tune_type": "lora",
    "num_layers": 16,
    "lora_parameters": PARAMETERS,
}


def write_adapter(folder: Path, *, seed: int = 0, width: int = 64, **changed: object) -> Path:
    """Write a random adapter for some attention projections of a model of this width and of at least two layers."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | changed))
    keys = mx.random.split(mx.random.key(seed), 8)
    weights: dict[str, mx.array] = {}
    for number, name in enumerate(["0.self_attn.q_proj", "0.self_attn.o_proj", "1.self_attn.q_proj"]):
        weights[f"model.layers.{name}.lora_a"] = mx.random.normal((width, RANK), key=keys[2 * number]) * 0.1
        weights[f"model.layers.{name}.lora_b"] = mx.random.normal((RANK, width), key=keys[2 * number + 1]) * 0.1
    mx.save_safetensors(str(folder / "adapters.safetensors"), weights)
    return folder


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A random adapter of the tiny model."""
    return write_adapter(tmp_path / "tuned")


def on_a(*, cpu: bool) -> Compute:
    """A machine with room for all, whose weights are float32 or as on disk."""
    return Compute("a CPU" if cpu else "a GPU", is_cpu=cpu)


def has_adapter_beside(model: nn.Module) -> bool:
    """Whether an adapter's weights are still weights of their own."""
    return any(path.endswith("lora_a") for path, _ in flat(model.parameters()))


def silent(message: str, done: float | None) -> None:
    """Take progress that nobody reads."""


def logits(model: Any) -> mx.array:
    """What the model expects after a few ids, in float32."""
    return model(IDS).astype(mx.float32)


def test_an_adapter_changes_the_answer_as_mlx_lm_says(tiny_model: Path, adapter: Path) -> None:
    """Fused into float32 weights, the model computes what mlx-lm's own loader computes with the same adapter."""
    plain = load_model_plainly(tiny_model)[0]
    plain.set_dtype(mx.float32)
    before = logits(plain)
    load_adapters(plain, str(adapter)).eval()

    tuned = load_parts(read_folder(tiny_model), read_adapter(adapter), on_a(cpu=True), silent)[0]

    assert not mx.allclose(before, logits(tuned), atol=0.5).item()
    assert mx.allclose(logits(plain), logits(tuned), atol=1e-3).item()
    assert not has_adapter_beside(tuned)


def test_weights_of_few_bits_keep_their_adapter_beside_them(deepseek_moe: Path, tmp_path: Path) -> None:
    """Where weights stay as on disk their sum with the adapter would be rounded, so it is not made."""
    adapter = write_adapter(tmp_path / "tuned", width=128)
    plain = load_model_plainly(deepseek_moe)[0]
    load_adapters(plain, str(adapter)).eval()

    tuned = load_parts(read_folder(deepseek_moe), read_adapter(adapter), on_a(cpu=False), silent)[0]

    assert has_adapter_beside(tuned)
    assert mx.array_equal(logits(plain), logits(tuned)).item()


def test_a_tuned_model_bears_the_adapters_name(tiny_model: Path, adapter: Path) -> None:
    """What the engine says when it is ready tells the two apart."""
    tuned = load_model(tiny_model, adapter=adapter, progress=silent)

    assert tuned.name == "tuned"
    assert tuned.fingerprint == fingerprint(read_folder(tiny_model), read_adapter(adapter))


def test_the_fingerprint_tells_adapters_apart(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    """With an adapter, without, with another, with another strength: four models; its run's other notes count not."""
    folder = read_folder(tiny_model)
    twin = write_adapter(tmp_path / "twin", model="elsewhere", iters=1000)
    other = write_adapter(tmp_path / "other", seed=1)
    stronger = write_adapter(tmp_path / "stronger", lora_parameters=PARAMETERS | {"scale": 9.0})

    mine, *others = [fingerprint(folder, read_adapter(path)) for path in (adapter, other, stronger)]

    assert mine == fingerprint(folder, read_adapter(twin))
    assert len({mine, *others, fingerprint(folder)}) == 4


def test_an_adapter_of_another_model_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    """Weights that have no place in the model are told with the adapter's name."""
    adapter = write_adapter(tmp_path / "tuned", num_layers=1)

    with pytest.raises(Refused, match="adapter tuned does not fit"):
        load_model(tiny_model, adapter=adapter, progress=silent)


@pytest.mark.parametrize(
    ("file", "why"), [("adapter_config.json", "no adapter_config.json"), ("adapters.safetensors", "no adapters.safe")]
)
def test_half_an_adapter_is_refused(tiny_model: Path, adapter: Path, file: str, why: str) -> None:
    """What is missing is named before anything is loaded."""
    (adapter / file).unlink()

    with pytest.raises(Refused, match=why):
        load_model(tiny_model, adapter=adapter, progress=silent)
