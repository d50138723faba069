"""What an operator can get wrong."""

from pathlib import Path

import pytest

from gateway.keys import ApiKey, is_loopback
from gateway.settings import read_settings
from shared.config import ConfigError
from shared.errors import Refused


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody should have to start a gateway five times to hear of five mistakes."""
    with pytest.raises(ConfigError) as raised:
        read_settings(["--port", "99999", "--log-level", "loud", "--colour", "red"], {})

    assert len(str(raised.value).splitlines()) >= 3


def test_off_loopback_a_key_is_required(tmp_path: Path) -> None:
    """Nobody opens a pool to the network by accident."""
    file = tmp_path / "key"
    file.write_text("s3cret\n")

    for host in ("0.0.0.0", "192.168.1.5", "::", "pool.example"):
        with pytest.raises(ConfigError, match="API key"):
            read_settings(["--host", host], {})
        assert read_settings(["--host", host, "--api-key-file", str(file)], {})[1]
        assert read_settings(["--host", host], {"MLX_POOL_API_KEY": "s3cret"})[1]


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
    "given", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer \udcff"]
)
def test_only_the_key_opens(given: str | None) -> None:
    """Anything else is one and the same refusal."""
    with pytest.raises(Refused, match="API key"):
        ApiKey("s3cret").check(given)
    ApiKey("s3cret").check("bearer s3cret")
