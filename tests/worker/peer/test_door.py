"""The process that gives models away: to whoever shows its token, and nothing but models' files."""

import http.client
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from shared.supply import Source, Supply
from worker.catalog.progress import untold
from worker.peer.pipe import AnyWord, Give, Gives, Keeps, Open
from worker.peer.take import take

from .neighbour import put_model


class Door:
    """One `python -m worker.peer`, as the agent talks to it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        opened = self.hear()
        assert isinstance(opened, Open)
        self.port, self.token = opened.port, opened.token

    def hear(self) -> AnyWord:
        """Read what it tells next."""
        assert self.process.stdout
        return msgspec.json.decode(self.process.stdout.readline(), type=AnyWord)

    def give(self, queue: str, folder: Path) -> AnyWord:
        """Have it give a folder away."""
        assert self.process.stdin
        self.process.stdin.write(msgspec.json.encode(Give(queue, str(folder))) + b"\n")
        self.process.stdin.flush()
        return self.hear()

    def get(self, path: str, token: str | None = None, **headers: str) -> tuple[int, bytes]:
        """Ask it something; the path goes as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        shown = {"Authorization": f"Bearer {self.token if token is None else token}"}
        connection.request("GET", path, headers=shown | headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body


@contextmanager
def opened(models: Path) -> Generator[Door]:
    """Run one, with its notes among these models."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "worker.peer", "127.0.0.1", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"MLX_POOL_MODELS": str(models), "PATH": "/usr/bin:/bin"},
    )
    try:
        yield Door(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            pipe.close()


def test_a_model_goes_from_one_machine_to_another(original: Path, tmp_path: Path) -> None:
    """Over a real connection, by what was told through the pool; checksums are noted for the next start."""
    into = tmp_path / "into"
    into.mkdir()
    with opened(tmp_path / "models") as door:
        told = door.give("mine", original)
        assert isinstance(told, Gives)
        source = Source(id="mac-1.1", urls=(f"http://127.0.0.1:{door.port}",), token=door.token)
        supply = Supply(
            queue="mine", digest=told.digest, bytes=told.bytes, fingerprint=told.fingerprint, sources=(source,)
        )

        take(supply, into, untold)

    assert (into / "model.safetensors").read_bytes() == (original / "model.safetensors").read_bytes()
    assert set(json.loads((tmp_path / "models" / ".checksums" / "mine.json").read_bytes())) == {
        path.name for path in into.iterdir()
    }


def test_who_does_not_know_the_token_learns_nothing(original: Path, tmp_path: Path) -> None:
    """Neither files nor which there are: every answer is the same."""
    with opened(tmp_path / "models") as door:
        told = door.give("mine", original)
        assert isinstance(told, Gives)
        paths = [f"/models/{told.digest}/manifest", f"/models/{told.digest}/files/0", "/models/0/manifest"]

        answers = {door.get(path, token) for path in paths for token in ("", "guess", "é")}

    assert answers == {(404, b"not found\n")}


@pytest.mark.parametrize(
    "path",
    [
        "/models/DIGEST/files/../../../../etc/passwd",
        "/models/DIGEST/files/%2e%2e%2fmodeling.py",
        "/models/DIGEST/files/-1",
        "/models/DIGEST/files/99",
        "/models/DIGEST/files/modeling.py",
        "/models/../manifest",
        "/",
    ],
)
def test_no_path_leads_to_anything_else(original: Path, tmp_path: Path, path: str) -> None:
    """Files have numbers; what is no number is nothing."""
    with opened(tmp_path / "models") as door:
        told = door.give("mine", original)
        assert isinstance(told, Gives)

        status, body = door.get(path.replace("DIGEST", told.digest))

    assert status == 404
    assert b"SystemExit" not in body


def test_what_is_no_model_is_kept(original: Path, tmp_path: Path) -> None:
    """It says why, and goes on with the next."""
    (tmp_path / "empty").mkdir()
    with opened(tmp_path / "models") as door:
        empty = door.give("empty", tmp_path / "empty")
        whole = door.give("mine", original)

    assert isinstance(empty, Keeps)
    assert "config.json" in empty.reason
    assert isinstance(whole, Gives)


def test_it_ends_with_its_agent(tmp_path: Path) -> None:
    """However that ended: its stdin is closed then."""
    with opened(tmp_path / "models") as door:
        assert door.process.stdin
        door.process.stdin.close()

        assert door.process.wait(10) == 0


def test_a_changed_file_has_other_checksums(original: Path, tmp_path: Path) -> None:
    """What was noted counts as long as the file looks as it did."""
    with opened(tmp_path / "models") as door:
        before = door.give("mine", original)
        (original / "tokenizer.json").write_text('{"other": 1}')
        after = door.give("mine", put_model(tmp_path / "other" / "mine"))
        changed = door.give("mine", original)

    assert isinstance(before, Gives)
    assert isinstance(after, Gives)
    assert isinstance(changed, Gives)
    assert before.digest == after.digest != changed.digest
