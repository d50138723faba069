"""The file of keys, read again while the gateway runs. The clock is the test's."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.access.keys_file import KeysFile
from gateway.access.ring import Ring
from shared.key_file import KeyFileError

from .conftest import GivenKeys, Headers


def opens(ring: Ring, header: Headers) -> bool:
    """Whether a key is in force."""
    return ring.caller(header["authorization"].removeprefix("Bearer ").encode()) is not None


def test_a_key_is_revoked_without_a_restart(keys: GivenKeys) -> None:
    """A second later it opens no more, and one that was given out meanwhile does."""
    old = keys.give("old")
    file = KeysFile(keys.path)
    assert opens(file.ring(0.0), old)

    keys.revoke("old")
    new = keys.give("new")

    assert opens(file.ring(0.9), old)
    assert not opens(file.ring(1.0), old)
    assert opens(file.ring(1.0), new)


@pytest.mark.parametrize("broken", [b"", b"{", b'{"keys": [{"id": "x"}]}', b'{"keys": [], "colour": 1}'])
def test_a_broken_file_leaves_the_old_keys_in_force(keys: GivenKeys, broken: bytes) -> None:
    """A slip of the operator's hand shuts nobody out; it is told of once, and what comes next is read again."""
    old = keys.give("old")
    file = KeysFile(keys.path)
    keys.path.write_bytes(broken)

    with capture_logs() as logs:
        assert all(opens(file.ring(at), old) for at in (0.0, 1.0, 2.0))
    assert [line["event"] for line in logs] == ["keys_file_unusable"]

    keys.revoke("old")
    assert not opens(file.ring(3.0), old)


def test_a_file_that_went_away_leaves_the_old_keys_in_force(keys: GivenKeys) -> None:
    """Nobody is let in or shut out by an unmounted folder."""
    old = keys.give("old")
    file = KeysFile(keys.path)
    keys.path.unlink()

    with capture_logs() as logs:
        assert all(opens(file.ring(at), old) for at in (0.0, 1.0))

    assert len(logs) == 1


def test_what_others_may_write_is_no_file_of_keys(keys: GivenKeys) -> None:
    """Whoever can write it can let anybody in."""
    keys.path.chmod(0o666)

    with pytest.raises(KeyFileError, match="chmod 600"):
        KeysFile(keys.path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """At the start there are no old keys to go on with."""
    with pytest.raises(KeyFileError, match=r"missing\.json: No such file"):
        KeysFile(tmp_path / "missing.json")


def test_an_unchanged_file_is_not_read_again(keys: GivenKeys) -> None:
    """What is looked at each second is its time, size and place only."""
    file = KeysFile(keys.path)
    ring = file.ring(0.0)
    status = keys.path.stat()
    keys.path.write_bytes(keys.path.read_bytes().replace(b"keys", b"sYek"))
    os.utime(keys.path, ns=(status.st_atime_ns, status.st_mtime_ns))

    with capture_logs() as logs:
        assert file.ring(5.0) is ring

    assert logs == []
