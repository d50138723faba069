"""What somebody on the network says of a pool, as values."""

import pytest

from mlx_pool.lan.found import SERVICE, Found, choose, found_of, properties

TOLD = {b"version": b"1.2", b"models": b"tiny"}


def test_what_is_told_is_read() -> None:
    """Name, address, port, version and models; IPv4 where there are both."""
    found = found_of(f"mac-1.{SERVICE}", ["fd00::7", "192.0.2.7"], 6379, TOLD)

    assert found is not None
    assert found == Found(name="mac-1", host="192.0.2.7", port=6379, version="1.2", models="tiny")
    assert found.in_words == "mac-1  192.0.2.7:6379  mlx-pool 1.2  tiny"


@pytest.mark.parametrize(
    ("addresses", "port"), [([], 6379), (["192.0.2.7"], 0), (["192.0.2.7"], None), (["fe80::1"], 1)]
)
def test_what_leads_nowhere_is_nothing(addresses: list[str], port: int | None) -> None:
    """No address, no port, or one that needs to be told through which door."""
    assert found_of("x", addresses, port, {}) is None


def test_a_hostile_word_reaches_no_terminal() -> None:
    """Escape sequences become dots, and what is too long is cut."""
    found = found_of(f"\x1b[2Jmac.{SERVICE}", ["192.0.2.7"], 1, {b"version": b"\x1b]0;x\x07" * 99, b"models": None})

    assert found is not None
    assert "\x1b" not in found.in_words
    assert len(found.in_words) < 200


def test_one_is_chosen_by_name_or_number() -> None:
    """A name that looks like a number is a name."""
    one, two = (Found(name=name, host="192.0.2.7", port=1) for name in ("a", "1"))

    assert choose([one, two], "a") == one
    assert choose([one, two], "1") == two
    assert choose([one, two], "2") == two
    assert choose([one, two], "3") is None


def test_no_secret_is_told() -> None:
    """What goes out is a version and names of models."""
    assert set(properties("1.2", "tiny")) == {"version", "models"}
