"""The Host header, and the origins of pages."""

import pytest

from gateway.access.cors import is_origin
from gateway.access.host import Hosts, hosts_of, is_host_pattern
from shared.errors import Refused
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal

PAGE = "https://app.example"
LOOPBACK = ["localhost", "LOCALHOST:8081", "127.0.0.1:8081", "127.9.9.9", "[::1]:8081", "localhost.:80"]
STRANGE = ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::1", "a b"]


def accepts(hosts: Hosts, host: str) -> bool:
    """Whether a request to this host passes."""
    try:
        hosts.check([(b"host", host.encode())])
    except Refused:
        return False
    return True


def test_loopback_without_a_key_is_called_by_loopbacks_names_only() -> None:
    """A page whose own name was pointed at this machine can't talk to the pool on it."""
    hosts = hosts_of((), address="127.0.0.1", has_lock=False)

    assert hosts
    assert [host for host in LOOPBACK if not accepts(hosts, host)] == []
    assert [host for host in STRANGE if accepts(hosts, host)] == []


def test_with_a_key_or_off_loopback_any_name_will_do() -> None:
    """Such a page has no key; and nobody knows by which names a machine is reached."""
    assert hosts_of((), address="127.0.0.1", has_lock=True) is None
    assert hosts_of((), address="192.0.2.7", has_lock=True) is None
    assert hosts_of(("*",), address="127.0.0.1", has_lock=False) is None


def test_names_that_were_given_are_the_only_ones_besides_loopbacks() -> None:
    """`*.` stands for what a name ends with, and not for that end itself."""
    hosts = hosts_of(("Pool.example", "*.lab.example"), address="192.0.2.7", has_lock=True)

    assert hosts
    assert all(accepts(hosts, host) for host in ("pool.example:443", "a.b.lab.example", "localhost"))
    assert not any(accepts(hosts, host) for host in ("lab.example", "evillab.example", "x.pool.example"))


@pytest.mark.parametrize("text", ["pool.example", "*.example", "*", "192.0.2.7", "::1", "fd00::7"])
def test_a_host_pattern_is_a_name_or_an_address(text: str) -> None:
    """Without a scheme, a port or a path."""
    assert is_host_pattern(text)
    assert not is_host_pattern(f"https://{text}")
    assert not is_host_pattern(f"{text}/")


def test_an_origin_is_what_browsers_send() -> None:
    """A path or a slash behind it would never match."""
    assert all(map(is_origin, ("https://a.example", "http://localhost:3000", "*")))
    assert not any(
        map(is_origin, ("a.example", "https://a.example/", "null", "ftp://a.example", "https://u@a.example"))
    )


async def test_a_wrong_host_is_a_403_on_every_route_but_liveness(serving: Serving) -> None:
    """Also where there is no such route; a probe that asks by address and knows no name is still answered."""
    async with serving() as served:
        strange = {"host": "evil.example"}

        for method, path in [("POST", "/chat"), ("GET", "/pool"), ("GET", "/"), ("GET", "/nowhere")]:
            answer = await served.http.request(method, path, headers=strange)
            assert refusal(answer) == (403, "host_not_allowed", None)
        assert (await served.http.get("/health/live", headers=strange)).status_code == 200


async def test_without_origins_no_page_is_told_anything(serving: Serving) -> None:
    """A browser keeps the answer from the page; its question before a request gets no leave."""
    async with serving() as served:
        asked = {"origin": PAGE, "access-control-request-method": "POST"}

        answer = await served.http.get("/pool", headers={"origin": PAGE})
        preflight = await served.http.options("/chat", headers=asked)

        assert "access-control-allow-origin" not in answer.headers
        assert preflight.status_code == 405


async def test_a_page_of_a_named_origin_may_ask_and_read(serving: Serving) -> None:
    """The browser's question needs no key, the request does; refusals can be read by the page, too."""
    async with serving(key="s3cret", cors_origins=(PAGE,)) as served:
        asked = {"origin": PAGE, "access-control-request-method": "POST"}
        asked |= {"access-control-request-headers": "authorization,x-stainless-os"}

        preflight = await served.http.options("/chat", headers=asked)
        refused = await served.http.get("/pool", headers={"origin": PAGE})
        other = await served.http.options("/chat", headers=asked | {"origin": "https://evil.example"})

        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        assert (
            preflight.headers["access-control-allow-origin"] == refused.headers["access-control-allow-origin"] == PAGE
        )
        assert refused.status_code == 401
        exposed = refused.headers["access-control-expose-headers"].split(", ")
        assert {"x-ratelimit-remaining-tokens", "x-mlx-pool-ignored"} <= set(exposed)
        assert "access-control-allow-origin" not in other.headers
