"""A worker's model, found by the catalogue's own process: its folder, its queue, and its adapter."""

import json
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.agent import Agent
from worker.settings import Settings
from worker.weights import Found, fetch, room


@pytest.fixture
def tuned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with a base and an adapter of it, which the catalogue's process will look into."""
    header = (2).to_bytes(8, "little") + b"{}"
    for name, config in (("base", "config.json"), ("tuned", "adapter_config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / config).write_text(json.dumps({"model_type": "llama", "model": "base"}))
    (tmp_path / "base" / "model.safetensors").write_bytes(header)
    (tmp_path / "tuned" / "adapters.safetensors").write_bytes(header)
    monkeypatch.setenv("MLX_POOL_MODELS", str(tmp_path))
    return tmp_path


async def test_an_adapter_is_served_with_its_base(tuned: Path) -> None:
    """One name gives the queue and both folders, and the engine is started with both."""
    found = await fetch("tuned", lambda message, done: None)

    command = Agent(Settings(), host="h", pid=1)._command(found)  # pyright: ignore[reportPrivateUsage] what is started

    assert found == Found("tuned", str(tuned / "base"), str(tuned / "tuned"))
    assert " ".join(command).count(f"--model {tuned / 'base'} --adapter {tuned / 'tuned'}") == 1


async def test_a_model_without_an_adapter_has_none(tuned: Path) -> None:
    """The base is served as it was."""
    assert await fetch("base", lambda message, done: None) == Found("base", str(tuned / "base"))


async def test_what_there_is_not_is_refused_in_the_catalogues_words(tuned: Path) -> None:
    """The worker's last line says what the operator can do."""
    with pytest.raises(Refused, match="There is no model named nonsense"):
        await fetch("nonsense", lambda message, done: None)


async def test_what_models_need_is_told_without_fetching(tuned: Path) -> None:
    """In the order in which they were asked for; of one that is not here, what the catalogue says."""
    told = await room(["base", "tuned", "qwen3-4b"])

    assert [(each.queue, each.present) for each in told] == [("base", True), ("tuned", True), ("qwen3-4b", False)]
    assert [each.adapter for each in told] == [None, str(tuned / "tuned"), None]
    assert all((each.memory_mb or 0) > 0 and (each.possible_mb or 0) > 0 for each in told)
    with pytest.raises(Refused, match="There is no model named nonsense"):
        await room(["base", "nonsense"])
