"""What the catalogue's tests have: folders that look like models, and a hub on the loopback."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .fake_hub import FakeHub


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """An empty folder for models."""
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def put_model() -> Callable[[Path], Path]:
    """Make a folder look like a whole model."""

    def put(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"model_type": "llama"}')
        (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
        return folder

    return put


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    """A hub with one repository, org/model."""
    hub = FakeHub(
        {
            "config.json": b'{"model_type": "llama"}',
            "model.safetensors": (2).to_bytes(8, "little") + b"{}" + bytes(100_000),
            "tokenizer.json": b"{}",
            "modeling.py": b"raise SystemExit",
            "pytorch_model.bin": b"pickled",
            "original/consolidated.safetensors": b"another format",
        }
    )
    thread = threading.Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    hub.server.shutdown()
    thread.join()
    hub.server.server_close()
