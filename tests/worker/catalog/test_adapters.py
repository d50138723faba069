"""Adapters have names: each is a model of its own queue, and leads to the model that it changes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Refused
from worker.catalog.entries import Catalogue, decode_catalogue
from worker.catalog.fit import Machine
from worker.catalog.listing import rows
from worker.catalog.resolve import Resolved, resolve

from .adapter_folder import put_adapter

Put = Callable[[Path], Path]


@pytest.fixture
def catalogue() -> Catalogue:
    """A catalogue with a model of the hub, and an adapter of it."""
    return decode_catalogue(
        b"""
        default = "base"
        [[models]]
        name = "base"
        about = "A model."
        source = { kind = "hub", id = "org/base-4bit" }
        [[models]]
        name = "tuned"
        about = "The same, changed."
        source = { kind = "adapter", base = "base", folder = "tuned-adapter" }
        """,
        "a test",
    )


def find(name: str, models_dir: Path, catalogue: Catalogue) -> Resolved:
    """Resolve among these models, with nothing else in the environment."""
    return resolve(name, models_dirs=[models_dir], env={"HOME": str(models_dir.parent)}, catalogue=catalogue)


def test_a_name_of_the_catalogue_is_a_base_and_an_adapter(
    models_dir: Path, catalogue: Catalogue, put_model: Put
) -> None:
    """The queue is the adapter's, so that base and adapter are served side by side."""
    adapter, base = put_adapter(models_dir / "tuned-adapter", model=None), put_model(models_dir / "base")

    assert find("tuned", models_dir, catalogue) == Resolved("tuned", base, None, adapter)
    assert find("base", models_dir, catalogue) == Resolved("base", base)


def test_a_base_that_is_missing_is_brought(models_dir: Path, catalogue: Catalogue) -> None:
    """Who asks for an adapter gets its model with it."""
    put_adapter(models_dir / "tuned-adapter", model=None)

    model = find("tuned", models_dir, catalogue)

    assert model.source == find("base", models_dir, catalogue).source
    assert model.folder == models_dir / "base"


@pytest.mark.parametrize("told", ["base", "org/base-4bit", "models/base"])
def test_an_adapters_folder_is_a_name_too(models_dir: Path, catalogue: Catalogue, put_model: Put, told: str) -> None:
    """What a run called its model is found here, by name, by the hub's id, or by its folder."""
    adapter, base = put_adapter(models_dir / "mine", model=told), put_model(models_dir / "base")

    assert find("mine", models_dir, catalogue) == Resolved("mine", base, None, adapter)
    assert find(str(adapter), models_dir, catalogue).adapter == adapter


@pytest.mark.parametrize(
    ("model", "why"),
    [(None, "names no model that it adapts"), ("mine", "an adapter itself"), ("nonsense", "There is no model named")],
)
def test_an_adapter_without_a_model_is_refused(
    models_dir: Path, catalogue: Catalogue, model: str | None, why: str
) -> None:
    """One adapter on one model; the message says which of them is missing."""
    put_adapter(models_dir / "mine", model=model)

    with pytest.raises(Refused, match=why):
        find("mine", models_dir, catalogue)
    with pytest.raises(Refused, match="There is no adapter in"):
        find("tuned", models_dir, catalogue)


def test_adapters_are_listed(models_dir: Path, catalogue: Catalogue, put_model: Put) -> None:
    """Those of the catalogue, here or not, and those that lie among the models; a folder is listed once."""
    put_model(models_dir / "base")
    before = rows(catalogue, [models_dir], Machine())
    put_adapter(models_dir / "tuned-adapter", model=None)
    mine = put_adapter(models_dir / "mine", model="base")
    after = rows(catalogue, [models_dir], Machine())

    assert [(row.name, row.base, row.present) for row in before] == [("base", None, True), ("tuned", "base", False)]
    assert [(row.name, row.base, row.present) for row in after[1:]] == [("tuned", "base", True), ("mine", "base", True)]
    assert after[-1].path == str(mine)
