"""What a person types, and what it means."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.catalog.entries import Hub, Wheel
from worker.catalog.resolve import Resolved, resolve

Put = Callable[[Path], Path]


def find(name: str, models_dir: Path, env: dict[str, str] | None = None) -> Resolved:
    """Resolve among these models, with nothing else in the environment."""
    return resolve(name, models_dirs=[models_dir], env={"HOME": str(models_dir.parent)} | (env or {}))


def refusal(name: str, models_dirs: Sequence[Path], env: dict[str, str] | None = None) -> str:
    """The one line with which a name is refused."""
    with pytest.raises(Refused) as caught:
        resolve(name, models_dirs=models_dirs, env=env or {})
    assert "\n" not in caught.value.message
    assert caught.value.param == "model"
    return caught.value.message


def test_no_name_means_the_default(models_dir: Path) -> None:
    """A worker that was told nothing serves the default, from its package."""
    model = find("", models_dir)

    assert model.queue == "smollm2-135m"
    assert model.folder == models_dir / "smollm2-135m"
    assert isinstance(model.source, Wheel)


def test_the_environment_names_a_folder(models_dir: Path, put_model: Put) -> None:
    """MLX_MODEL_PATH is used where no name is given, and its folder's name is the queue's."""
    folder = put_model(models_dir.parent / "elsewhere" / "deepseek-moe-16b-chat-mlx-q4_0")

    assert find("", models_dir, {"MLX_MODEL_PATH": str(folder)}) == Resolved(folder.name, folder)
    assert find("smollm2-135m", models_dir, {"MLX_MODEL_PATH": str(folder)}).queue == "smollm2-135m"


def test_a_wrong_path_in_the_environment_is_named(models_dir: Path) -> None:
    """The message says which variable to correct."""
    message = refusal("", [models_dir], {"MLX_MODEL_PATH": "/nowhere"})

    assert message == "MLX_MODEL_PATH=/nowhere: there is no such folder."


def test_a_path_is_a_folder(models_dir: Path, put_model: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, from here, and from home: a path leads to its folder, wherever models lie else."""
    folder = put_model(models_dir.parent / "elsewhere" / "mine")
    monkeypatch.chdir(models_dir.parent)
    monkeypatch.setenv("HOME", str(models_dir.parent))

    for name in (str(folder), "./elsewhere/mine", "elsewhere/mine", "~/elsewhere/mine"):
        assert find(name, models_dir).queue == "mine"
        assert find(name, models_dir).folder.resolve() == folder


def test_a_folder_that_is_no_model_is_refused(models_dir: Path) -> None:
    """A path to something else says what it lacks."""
    (models_dir / "empty").mkdir()
    (models_dir / "bare").mkdir()
    (models_dir / "bare" / "config.json").write_text("{}")

    assert "no config.json" in refusal(str(models_dir / "empty"), [models_dir])
    assert "weights (*.safetensors) are missing" in refusal(str(models_dir / "bare"), [models_dir])


def test_a_folder_among_the_models_is_found_by_its_name(models_dir: Path, put_model: Put) -> None:
    """`models/<name>/` is served as <name>."""
    folder = put_model(models_dir / "my-finetune")

    assert find("my-finetune", models_dir) == Resolved("my-finetune", folder)


@pytest.mark.parametrize("place", ["qwen3-4b", "mlx-community--Qwen3-4B-4bit", "Qwen3-4B-4bit"])
def test_weights_that_are_here_are_not_fetched(models_dir: Path, put_model: Put, place: str) -> None:
    """A model of the catalogue is found under its own name and under the hub's, and keeps its queue's name."""
    folder = put_model(models_dir / place)

    assert find("qwen3-4b", models_dir) == Resolved("qwen3-4b", folder)
    assert find("Qwen3-4B", models_dir).queue == "qwen3-4b"


def test_a_hub_id_is_a_model_to_fetch(models_dir: Path) -> None:
    """An id that is not here yet has a place and a source, and its queue bears the id."""
    model = find("org/model", models_dir)

    assert model == Resolved("org/model", models_dir / "org--model", Hub("org/model"))


def test_what_the_hubs_own_client_has_fetched_is_used(models_dir: Path, put_model: Put) -> None:
    """A model in the client's cache is served from there, without a second copy and without a network."""
    cache = models_dir.parent / "hub"
    snapshot = put_model(cache / "models--org--model" / "snapshots" / "abc")
    (cache / "models--org--model" / "refs").mkdir()
    (cache / "models--org--model" / "refs" / "main").write_text("abc")

    model = find("org/model", models_dir, {"HF_HUB_CACHE": str(cache)})

    assert model == Resolved("org/model", snapshot)
    assert find(str(snapshot), models_dir).queue == "org/model"


def test_an_unknown_name_is_told_what_there_is(models_dir: Path) -> None:
    """A typing error gets its correction, anything else the list, and both the other ways to name a model."""
    near = refusal("smolm2-135m", [models_dir])
    far = refusal("xyz", [models_dir])

    assert "Did you mean smollm2-135m?" in near
    assert "Known: smollm2-135m, qwen3-0.6b" in far
    assert str(models_dir) in far


@pytest.mark.parametrize("name", ["..", "a/b/c", "org/", "-x"])
def test_odd_names_are_refused(models_dir: Path, name: str) -> None:
    """Nothing that looks like neither a name, a folder nor an id is asked of the hub."""
    assert refusal(name, [models_dir])
