"""`mlx-pool keys`: keys are given out once, listed without themselves, and taken away."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlx_pool.data_folder import DataFolder
from mlx_pool.failure import Unusable
from mlx_pool.key_store import KeyStore, keys_file
from mlx_pool.keys import as_lines, made
from mlx_pool.up.state import State
from shared.key_file import digest_of, read_keys


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the keys are to lie; nothing is there yet."""
    return tmp_path / "secrets" / "keys.json"


def keys(file: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command on this file."""
    command = [sys.executable, "-P", "-m", "mlx_pool", "keys", *argv, "--file", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def add(file: Path, name: str, **rights: Any) -> None:
    """Add a key as the command does."""
    KeyStore(file).add(made(name, None, rights)[1])


def test_a_key_is_shown_once_and_kept_as_its_digest(file: Path) -> None:
    """What is printed is the key and nothing else, for `$(…)`; the rest is said beside it."""
    added = keys(
        file, "add", "phone", "--requests-per-minute", "60", "--model", "a", "--model", "b", "--hi", "--operator"
    )

    [entry] = read_keys(file)
    assert added.stdout.startswith("mlxp_")
    assert entry.sha256 == digest_of(added.stdout.strip().encode()).hex()
    assert (entry.id, entry.tenant, entry.models) == ("phone", "phone", ("a", "b"))
    assert (entry.may_hi, entry.may_operate) == (True, True)
    assert entry.limits.requests_per_minute == 60
    assert "phone" in added.stderr
    assert added.stdout.strip() not in file.read_text() + added.stderr + keys(file, "list", "--json").stdout


@pytest.mark.parametrize(("key_file", "is_told"), [(None, True), ("/k", False)])
def test_who_runs_a_pool_that_asks_for_no_key_is_told(tmp_path: Path, key_file: str | None, *, is_told: bool) -> None:
    """Else a key would seem to guard what anybody may use until the next start."""
    (tmp_path / "up.json").write_bytes(msgspec.json.encode(State("http://a", "redis://b", key_file)))
    command = [sys.executable, "-P", "-m", "mlx_pool", "keys", "add"]
    env = {**os.environ, "MLX_POOL_DATA": str(tmp_path)}

    added = subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    assert added.returncode == 0, added.stderr
    assert ("asks for no key yet" in added.stderr) is is_told


def test_programs_get_json(file: Path) -> None:
    """Each deed tells what it did; a key without a name gets one."""
    added = json.loads(keys(file, "add", "--tenant", "acme", "--json").stdout)
    listed = json.loads(keys(file, "list", "--json").stdout)
    revoked = json.loads(keys(file, "revoke", added["id"], "--json").stdout)

    assert added.pop("key").startswith("mlxp_")
    assert listed == [added]
    assert (added["tenant"], revoked) == ("acme", {"revoked": added["id"]})
    assert read_keys(file) == ()


def test_the_file_is_for_its_user_alone(file: Path) -> None:
    """Mode 600, also after it was opened up to be read."""
    add(file, "a")
    file.chmod(0o644)

    add(file, "b")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [key.id for key in read_keys(file)] == ["a", "b"]


def test_many_writers_lose_no_key(file: Path) -> None:
    """Two operators at once, or a script that gives out twenty: each finds the other's."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(add, file), [f"k{number}" for number in range(20)]))

    assert {key.id for key in read_keys(file)} == {f"k{number}" for number in range(20)}
    assert sorted(path.name for path in file.parent.iterdir()) == ["keys.json", "keys.json.lock"]


def test_readers_never_see_half_a_file(file: Path) -> None:
    """The new file takes the old one's place at once; a link to it stays a link."""
    add(file, "a")
    link = file.parent / "link.json"
    link.symlink_to(file)
    before = file.stat().st_ino

    add(link, "b")

    assert link.is_symlink()
    assert file.stat().st_ino != before
    assert len(read_keys(file)) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_stays_its_owners(file: Path) -> None:
    """A gateway that runs as somebody else reads it after root has changed it, too."""
    add(file, "a")
    os.chown(file, 12_345, 12_345)

    add(file, "b")

    assert (file.stat().st_uid, file.stat().st_gid) == (12_345, 12_345)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["revoke", "nobody"], "There is no key nobody"),
        (["revoke"], "keys revoke ID"),
        (["add", "a b"], "$.id"),
        (["add", "x", "--concurrent-jobs", "0"], "concurrent_jobs"),
        (["give", "x"], "give"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(file: Path, argv: list[str], said: str) -> None:
    """It says what to do, and changes nothing."""
    ended = keys(file, *argv)

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert said in ended.stderr
    assert not file.exists()


def test_an_id_is_given_once(file: Path) -> None:
    """Two keys of one name could not be told apart in a log."""
    add(file, "a")

    with pytest.raises(Unusable, match="already"):
        add(file, "a")


def test_a_file_that_was_broken_by_hand_is_not_written_over(file: Path) -> None:
    """The keys in it would be lost."""
    add(file, "a")
    file.write_text("{")

    with pytest.raises(Unusable, match=r"keys\.json"):
        add(file, "b")

    assert file.read_text() == "{"


def test_keys_are_told_in_columns() -> None:
    """A person sees at a glance who may do what."""
    limits = {"requests_per_minute": 60, "concurrent_jobs": 4}
    _, entry = made("phone", "acme", {"limits": limits, "models": ["tiny"], "may_hi": True})

    lines = as_lines([entry, made("other", None, {})[1]]).splitlines()

    assert lines[1].split()[:7] == ["phone", "acme", "60", "-", "4", "tiny", "yes"]
    assert lines[2].split()[:7] == ["other", "other", "-", "-", "-", "all", "-"]
    assert as_lines([]) == "no keys"


def test_the_file_is_the_one_that_gateways_are_told_of(tmp_path: Path) -> None:
    """By the environment, else that of this machine's `up`."""
    folder = DataFolder(tmp_path)

    assert keys_file(folder, {}) == tmp_path / "secrets" / "api-keys.json"
    assert keys_file(folder, {"MLX_POOL_API_KEYS_FILE": "/etc/pool/keys.json"}) == Path("/etc/pool/keys.json")
