"""The list of models: what there is, what it needs, and what is here."""

import json
from collections.abc import Callable
from pathlib import Path

from worker.catalog.entries import read_catalogue
from worker.catalog.fit import Machine
from worker.catalog.listing import Row, rows
from worker.catalog.listing_table import table

Put = Callable[[Path], Path]


def test_folders_of_the_users_are_measured(models_dir: Path, put_model: Put) -> None:
    """Family, size and need of a folder come from the folder; what does not fit is marked."""
    folder = put_model(models_dir / "mine")
    config = {"model_type": "llama", "num_hidden_layers": 80, "num_attention_heads": 64, "hidden_size": 8192}
    (folder / "config.json").write_text(json.dumps(config))

    mine = rows(read_catalogue(), [models_dir], Machine(memory_mb=4_000, disk_mb=0))[-1]

    assert (mine.name, mine.family, mine.disk_mb, mine.kv_mb) == ("mine", "llama", 1, 2622)
    assert mine.fit == "too large"


def test_what_there_is_no_disk_for_is_marked(models_dir: Path) -> None:
    """Before anything is fetched, the list tells what could not be."""
    listed = rows(read_catalogue(), [models_dir], Machine(memory_mb=100_000, disk_mb=1_000))

    assert {row.name: row.fit for row in listed}["qwen3-1.7b"] == "fits"
    assert {row.name: row.fit for row in listed}["qwen3-4b"] == "disk full"


def test_the_table_tells_all_at_a_glance() -> None:
    """One line a model, numbers under each other, the place short, and below what the machine has."""
    here = Row("a", "About.", present=True, path="/home/u/models/a", family="llama", disk_mb=98, memory_mb=300)
    there = Row("longer", "About.", present=False, path="/x", disk_mb=12_100, kv_mb=25, fit="tight")

    drawn = table([here, there], Machine(memory_mb=8_000), home=Path("/home/u")).splitlines()

    assert drawn[1] == "● a       llama     98 MB  300 MB                     ~/models/a"
    assert drawn[2] == "○ longer          12.1 GB               25 MB  tight  About."
    assert "8.0 GB of memory, unknown free on disk" in drawn[-1]
