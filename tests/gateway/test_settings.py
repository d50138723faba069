"""What an operator can get wrong."""

from pathlib import Path

import pytest

from gateway.access.host import is_loopback
from gateway.settings import read_settings
from shared.config import ConfigError
from shared.key_file import encode_keys


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody should have to start a gateway five times to hear of five mistakes."""
    with pytest.raises(ConfigError) as raised:
        read_settings(["--port", "99999", "--log-level", "loud", "--colour", "red"], {})

    assert len(str(raised.value).splitlines()) >= 3


def test_off_loopback_a_key_is_required(tmp_path: Path) -> None:
    """Nobody opens a pool to the network by accident."""
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    keys = tmp_path / "keys.json"
    keys.write_bytes(encode_keys([]))
    keys.chmod(0o600)

    for host in ("0.0.0.0", "192.168.1.5", "::", "pool.example"):
        with pytest.raises(ConfigError, match="API keys"):
            read_settings(["--host", host], {})
        assert read_settings(["--host", host, "--api-key-file", str(file)], {})[1]
        assert read_settings(["--host", host], {"MLX_POOL_API_KEY": "s3cret"})[1]
        assert read_settings(["--host", host, "--api-keys-file", str(keys)], {})[1]


def test_a_key_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """A missing or empty file is no key."""
    (tmp_path / "empty").write_text("\n")

    for name in ("missing", "empty"):
        with pytest.raises(ConfigError, match=name):
            read_settings(["--api-key-file", str(tmp_path / name)], {})


def test_loopback_needs_no_key() -> None:
    """On one machine it runs out of the box."""
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"))
    assert read_settings([], {})[1] is None


@pytest.mark.parametrize(
    "flags",
    [
        ["--allowed-host", "https://pool.example"],
        ["--allowed-host", "pool.example:8081"],
        ["--cors-origin", "pool.example"],
        ["--cors-origin", "https://pool.example/"],
        ["--cors-origin", "*"],
        ["--max-connections", "0"],
    ],
)
def test_what_can_not_be_meant_is_refused(flags: list[str]) -> None:
    """A name that no browser sends would shut everybody out; every origin without a key would let everybody in."""
    with pytest.raises(ConfigError, match=flags[0]):
        read_settings(flags, {})


def test_names_and_origins_may_be_several() -> None:
    """By repeated flags, or with commas in the environment."""
    flags = ["--allowed-host", "a.example", "--allowed-host", "*.b.example", "--cors-origin", "https://a.example:8443"]

    by_flag, _ = read_settings(flags, {})
    by_env, _ = read_settings([], {"MLX_POOL_ALLOWED_HOSTS": "a.example, *.b.example"})

    assert by_flag.allowed_hosts == by_env.allowed_hosts == ("a.example", "*.b.example")
    assert by_flag.cors_origins == ("https://a.example:8443",)
