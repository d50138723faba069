"""Neighbours on the loopback, honest ones and others."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .neighbour import Misdeed, Neighbour, put_model

Neighbours = Callable[..., Neighbour]


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A model on another machine."""
    return put_model(tmp_path / "there" / "mine")


@pytest.fixture
def neighbour(tmp_path: Path, original: Path) -> Iterator[Neighbours]:
    """Start machines that give that model, or the one in another folder."""
    started: list[tuple[Neighbour, threading.Thread]] = []

    def start(misdeed: Misdeed = "none", folder: Path = original) -> Neighbour:
        made = Neighbour(folder, tmp_path / "notes", misdeed)
        thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        started.append((made, thread))
        return made

    yield start
    for made, thread in started:
        made.server.shutdown()
        thread.join()
        made.server.server_close()
