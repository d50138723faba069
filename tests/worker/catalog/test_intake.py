"""Folders from elsewhere become models here: checked first, then copied or linked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.catalog.folders import is_model_folder
from worker.catalog.intake import import_adapter, import_model
from worker.catalog.progress import untold

from .adapter_folder import put_adapter

Put = Callable[[Path], Path]


@pytest.fixture
def source(tmp_path: Path, put_model: Put) -> Path:
    """A model folder elsewhere, with more in it than a model needs."""
    folder = put_model(tmp_path / "elsewhere")
    (folder / "tokenizer.json").write_text("{}")
    for name in ("modeling.py", "pytorch_model.bin", "README.md", ".secret.json"):
        (folder / name).touch()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for the import."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def test_a_copy_has_what_a_model_needs_and_no_more(source: Path, folder: Path) -> None:
    """Code and pickles stay where they were; progress rises to all."""
    told: list[float] = []

    import_model(source, folder, lambda _, done: told.append(done or 0.0))

    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert (told[0], told[-1]) == (0.0, 1.0)


def test_links_take_no_disk(source: Path, folder: Path) -> None:
    """A linked model is whole, and each of its files is the old one."""
    import_model(source, folder, untold, link=True)

    assert is_model_folder(folder)
    assert all(path.resolve().parent == source for path in folder.iterdir())


@pytest.mark.parametrize(
    ("lacks", "why"),
    [
        ("config.json", "has no config.json"),
        ("tokenizer.json", "has no tokenizer"),
        ("model.safetensors", "has PyTorch weights only"),
    ],
)
def test_what_can_t_be_loaded_is_not_imported(source: Path, folder: Path, lacks: str, why: str) -> None:
    """The message names what is missing, and nothing is written."""
    (source / lacks).unlink()

    with pytest.raises(Refused, match=why):
        import_model(source, folder, untold)

    assert list(folder.iterdir()) == []


def test_an_adapter_may_be_told_its_base(tmp_path: Path, folder: Path) -> None:
    """Its run has written a path of another machine; here its model bears another name. Else it stays as it is."""
    adapter = put_adapter(tmp_path / "tune", model="/home/else/model")

    import_adapter(adapter, folder, untold, base="smollm2-135m")

    assert json.loads((folder / "adapter_config.json").read_bytes()) == {"model": "smollm2-135m", "num_layers": 2}
    assert (folder / "adapters.safetensors").read_bytes() == (adapter / "adapters.safetensors").read_bytes()


def test_a_foreign_adapter_is_refused(tmp_path: Path, folder: Path) -> None:
    """Another library's adapters mean other things by the same names."""
    adapter = put_adapter(tmp_path / "tune", model="m")
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')

    with pytest.raises(Refused, match="convert it"):
        import_adapter(adapter, folder, untold, base=None)
