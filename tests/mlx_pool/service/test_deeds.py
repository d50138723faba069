"""Carrying it out on this machine, with commands that do nothing; and what keeps a part for launchd."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlx_pool.failure import Failed
from mlx_pool.service import launchd, systemd
from mlx_pool.service.deeds import carry_out, in_words
from mlx_pool.service.owner import Owner
from mlx_pool.service.place import names_in, place_of
from mlx_pool.service.work import File, Run, Work

from .cases import WANT, owner, place


def test_a_secret_is_its_readers_alone_from_the_first_moment(tmp_path: Path) -> None:
    """Mode 600, also where a file with another mode lay before; the unit may be read."""
    secret, unit = tmp_path / "a" / "x.env", tmp_path / "b" / "x.plist"
    secret.parent.mkdir()
    secret.write_text("old")
    secret.chmod(0o644)

    carry_out(Work(files=(File(secret, "new", is_secret=True), File(unit, "unit"))), owner())

    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("new", 0o600)
    assert unit.read_text() == "unit"
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["x.env", "x.plist"]


def test_deeds_are_done_in_order(tmp_path: Path) -> None:
    """Commands before, files, commands behind, and deleting last."""
    notes, file = tmp_path / "notes", tmp_path / "file"

    def noting(word: str) -> Run:
        return Run(("/bin/sh", "-c", f"test -e {file} && echo {word} with >> {notes} || echo {word} >> {notes}"))

    carry_out(Work(before=(noting("before"),), files=(File(file, ""),), after=(noting("after"),)), owner())
    carry_out(Work(before=(noting("again"),), deleted=(file,)), owner())

    assert notes.read_text().splitlines() == ["before", "after with", "again with"]
    assert not file.exists()


def test_a_command_that_fails_is_told_with_its_words() -> None:
    """Unless it may fail."""
    bad = ("/bin/sh", "-c", "echo no such service; exit 3")

    carry_out(Work(before=(Run(bad, is_optional=True),)), owner())
    with pytest.raises(Failed, match="ended with 3: no such service"):
        carry_out(Work(after=(Run(bad),)), owner())


def test_a_manager_that_is_not_there_is_told() -> None:
    """As on a Linux without systemd."""
    with pytest.raises(Failed, match="not on this machine"):
        carry_out(Work(before=(Run(("no-such-manager",)),)), owner())


def test_what_would_be_done_is_told_without_the_secret() -> None:
    """File by file and command by command; of variables the names."""
    for work in (
        launchd.installing(WANT, place("launchd"), owner()),
        systemd.installing(WANT, place("systemd"), owner()),
    ):
        told = "\n".join(in_words(work))

        assert "s3cret" not in told
        assert "MLX_POOL_REDIS_URL" in told
        assert told.count("would write") == 2


def test_installed_services_are_found_by_their_units(tmp_path: Path) -> None:
    """Whatever else lies there."""
    for manager in ("launchd", "systemd"):
        for name in ("worker", "gate-2"):
            unit = place_of(name, manager, "user", tmp_path).unit
            unit.parent.mkdir(parents=True, exist_ok=True)
            unit.touch()
        (unit.parent / "other.plist").touch()

        assert names_in(unit.parent, manager) == ["gate-2", "worker"]


def keep(tmp_path: Path, *flags: str) -> "subprocess.Popen[bytes]":
    """What launchd would start: here a worker that is wrong, or says its help."""
    env_file = tmp_path / "worker.env"
    env_file.write_text('MLX_POOL_REDIS_URL="redis://127.0.0.1:1/0"\n')
    command = [sys.executable, "-P", "-m", "mlx_pool.service.keep", str(env_file), str(tmp_path / "logs" / "w.log")]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    return subprocess.Popen([*command, "worker", *flags], env=env, cwd=Path(__file__).parents[3])


def test_a_kept_parts_words_are_in_its_log_and_its_exit_code_is_told(tmp_path: Path) -> None:
    """So that launchd starts again what crashed, and only that."""
    process = keep(tmp_path, "--no-such-flag", "1")

    assert process.wait(30) == 2
    assert "--no-such-flag" in (tmp_path / "logs" / "w.log").read_text()


def test_a_kept_part_is_drained_by_launchds_signal(tmp_path: Path) -> None:
    """It is passed on, and the part's own end awaited; the address came from the file."""
    process, log = keep(tmp_path, "--engine", "scripted"), tmp_path / "logs" / "w.log"
    until = time.monotonic() + 30
    while not log.exists() or "127.0.0.1:1" not in log.read_text():
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)

    assert process.wait(30) == 0
    assert any(json.loads(line).get("event") == "draining" for line in log.read_text().splitlines() if line[0] == "{")


def test_the_command_tells_what_it_would_do(tmp_path: Path) -> None:
    """On this machine, as its user; nothing is written and nothing is run."""
    flags = ["--engine", "scripted", "--redis", "redis://:s3cret@vm:6379"]
    command = [
        sys.executable,
        "-P",
        "-m",
        "mlx_pool",
        "service",
        "install",
        "--dry-run",
        "--name",
        "w",
        "worker",
        *flags,
    ]

    told = subprocess.run(
        command, env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert (told.returncode, told.stderr) == (0, "")
    assert str(tmp_path) in told.stdout
    assert "s3cret" not in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_service_of_the_machine_is_given_to_its_user(tmp_path: Path) -> None:
    """It is installed by root, and read by somebody else."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    theirs = Owner("nobody", 12_345, tmp_path, "system")

    carry_out(Work(files=(File(tmp_path / "x.env", "", is_secret=True),), folders=(tmp_path / "logs",)), theirs)

    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {12_345}
