import socket
from collections.abc import Iterator

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.up.address import check_free, in_url, is_loopback, local_host, outside_host, pick_port


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_told_with_the_flag_that_changes_it(taken_port: int) -> None:
    """The line says what is in the way and what to do."""
    with pytest.raises(Unusable, match=f"Port {taken_port} on 127.0.0.1 is in use: .* --port"):
        check_free("127.0.0.1", taken_port, "--port")


def test_an_address_of_another_machine_is_refused() -> None:
    """A gateway can only listen on an address that this machine has; 192.0.2.0/24 belongs to nobody."""
    with pytest.raises(Unusable, match=r"192\.0\.2\.1 is no address of this machine"):
        check_free("192.0.2.1", 8081, "--port")


def test_the_wanted_port_is_kept_while_it_is_free(taken_port: int) -> None:
    """Machines that joined find the queue where it was; only a taken port moves it."""
    free = pick_port("127.0.0.1", None)

    assert pick_port("127.0.0.1", free) == free
    assert pick_port("127.0.0.1", taken_port) != taken_port


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_is_known_in_all_its_forms(host: str) -> None:
    """On loopback no key is asked for."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mac.local", "localhost.example"])
def test_everything_else_is_outside(host: str) -> None:
    """Where others may reach us a key is asked for; a name that we don't know counts as outside."""
    assert not is_loopback(host)


def test_a_wildcard_is_reached_by_loopback_from_here_and_by_name_from_outside() -> None:
    """`0.0.0.0` is an address to listen on, never one to connect to."""
    assert (local_host("0.0.0.0"), local_host("::")) == ("127.0.0.1", "::1")
    assert outside_host("0.0.0.0") == socket.gethostname()
    assert (in_url("::1"), in_url("127.0.0.1")) == ("[::1]", "127.0.0.1")
