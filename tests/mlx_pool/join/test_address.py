"""What is an address, and what is said of one that is none."""

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.join.address import address_from, check_address, shown


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@mac-1.local:6379/0",
        "redis://192.0.2.7",
        "rediss://worker:secret@vm:6379/0?ssl_ca_certs=/etc/ca.crt",
        "redis+sentinel://:secret@a:26379,b:26379/pool/0",
        "redis://:secret@[::1]:6379",
    ],
)
def test_what_parts_of_the_pool_connect_to_is_an_address(url: str) -> None:
    """With TLS, Sentinels, users, and without a port."""
    check_address(url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:PASSWORD@mac-1:6379", "PASSWORD stands for"),
        ("redis://:secret@HOST:6379", "HOST stands for"),
        ("redis://:secret@HOST:PORT", "PORT stands for"),
        ("http://mac-1:8081", "That is no address"),
        ("secret@mac-1:6379", "That is no address"),
        ("redis://:secret@:6379", "names no machine"),
        ("redis://:sec/ret@mac-1:6379", "%2F"),
    ],
)
def test_what_is_no_address_is_told_without_its_password(url: str, said: str) -> None:
    """Placeholders of examples, other protocols, and passwords that have to be written otherwise."""
    with pytest.raises(Unusable, match=said) as raised:
        check_address(url)

    assert "sec" not in str(raised.value)


def test_the_environment_holds_the_address_where_nobody_can_be_asked() -> None:
    """Without a terminal there is no question, but a line that says what to type."""
    assert address_from({"MLX_POOL_REDIS_URL": "redis://mac-1:6379"}) == "redis://mac-1:6379"
    with pytest.raises(Unusable, match="Which pool"):
        address_from({})


def test_what_is_shown_of_an_address_is_the_machine() -> None:
    """Neither the user's name nor the password."""
    assert shown("rediss://worker:secret@vm:6379/0?ssl_ca_certs=x") == "vm:6379"
