"""Downloads from a model hub: what is wanted comes, code does not, and a hub out of reach is told at once."""

import socket
import time
from pathlib import Path

import pytest

from shared.errors import Fault, Refused
from worker.catalog.ensure import bring
from worker.catalog.entries import Hub
from worker.catalog.hub import download
from worker.catalog.progress import untold
from worker.catalog.resolve import Resolved

from .fake_hub import COMMIT, FakeHub


def test_a_repository_comes_whole_and_without_code(hub: FakeHub, models_dir: Path) -> None:
    """Weights, configuration and tokenizer are fetched; Python, pickles and other formats are not."""
    model = Resolved("org/model", models_dir / "org--model", Hub("org/model"))

    folder = bring(model, untold, env={"HF_ENDPOINT": hub.url})

    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert not any(path.endswith((".py", ".bin")) for path in hub.asked)


def test_progress_rises_to_all(hub: FakeHub, tmp_path: Path) -> None:
    """The bytes of all files together are told as they come."""
    told: list[float] = []

    download("org/model", tmp_path, lambda _, done: told.append(done or 0.0), endpoint=hub.url)

    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_broken_download_goes_on_where_it_was(hub: FakeHub, models_dir: Path) -> None:
    """What has come already is not fetched again."""
    model = Resolved("org/model", models_dir / "org--model", Hub("org/model"))
    hub.forbidden.add("model.safetensors")
    with pytest.raises(Refused):
        bring(model, untold, env={"HF_ENDPOINT": hub.url})
    hub.forbidden.clear()
    hub.asked.clear()

    bring(model, untold, env={"HF_ENDPOINT": hub.url})

    assert (model.folder / "model.safetensors").is_file()
    assert [asked for asked in hub.asked if "GET" in asked and "resolve" in asked] == [
        f"GET /org/model/resolve/{COMMIT}/model.safetensors"
    ]


def test_a_model_that_the_disk_can_t_hold_is_not_begun(hub: FakeHub, tmp_path: Path) -> None:
    """A download that would fill the disk hours later fails at once, with both sizes; what is not wanted counts not."""
    hub.announced = {"pytorch_model.bin": 10**18}
    download("org/model", tmp_path / "small", untold, endpoint=hub.url)
    hub.asked.clear()
    hub.announced = {"model.safetensors": 10**18}

    with pytest.raises(Fault, match=r"org/model needs 1000000000\.0 GB of disk, and .* GB free"):
        download("org/model", tmp_path / "large", untold, endpoint=hub.url)

    assert not [asked for asked in hub.asked if "resolve" in asked]


def test_a_repository_that_is_not_there_is_told(hub: FakeHub, tmp_path: Path) -> None:
    """A wrong or closed id says so, and what can be done instead."""
    message = refusal("org/other", hub.url, tmp_path)

    assert "has no such repository, or it is gated" in message


def test_no_network_names_the_offline_choices(tmp_path: Path) -> None:
    """Where nothing listens, the message names what works without a hub."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and no listen: connections are refused
        message = refusal("org/model", f"http://127.0.0.1:{taken.getsockname()[1]}", tmp_path)

    assert "the hub can't be reached" in message
    assert "models/model/" in message
    assert "MLX_MODEL_PATH" in message
    assert "smollm2-135m" in message


@pytest.mark.long
def test_a_silent_network_fails_in_bounded_time(tmp_path: Path) -> None:
    """A network that swallows everything costs fifteen seconds, not minutes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        message = refusal("org/model", f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path)

    assert "the hub can't be reached" in message
    assert time.monotonic() - began < 15


def refusal(hub_id: str, endpoint: str, into: Path) -> str:
    """The one line with which a download is refused."""
    with pytest.raises(Refused) as caught:
        download(hub_id, into, untold, endpoint=endpoint)
    assert "\n" not in caught.value.message
    assert caught.value.code == "model_not_found"
    return caught.value.message


def test_the_commit_is_fixed_for_all_files(hub: FakeHub, tmp_path: Path) -> None:
    """A repository that changes meanwhile does not give a mixture: files are asked of one commit."""
    download("org/model", tmp_path, untold, endpoint=hub.url)

    files = [path for path in hub.asked if "/resolve/" in path]
    assert files
    assert all(f"/resolve/{COMMIT}/" in path for path in files)
