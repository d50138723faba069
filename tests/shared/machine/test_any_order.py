"""Whatever order submits, claims, replays, cancels, deaths, stalls and reapers come in: the queue is the protocol's.

Hypothesis looks for an order that breaks something, and prints the shortest one that it finds as a program of the
rules' names. `POOL_TEST_BROKER` chooses the server; each test runs on a plain one and on a cluster of one node, where
a script that leaves its slot fails.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis as sync_redis
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Broker as Server
from tests.ports import FreePort

from .machine import Machine
from .site import Site

USUAL = settings(deadline=None, database=None, report_multiple_bugs=False)
EVERYDAY = settings(USUAL, max_examples=50, stateful_step_count=40)
LONG = settings(USUAL, max_examples=250, stateful_step_count=60, print_blob=True)
SHORTENING_S = 600  # a find is made short, which may take Hypothesis five minutes

pytestmark = pytest.mark.timeout(SHORTENING_S)


@pytest.fixture
def plain(broker: str) -> Iterator[Site]:
    """The broker that other tests use too."""
    with Site(broker) as site:
        yield site


@pytest.fixture
def cluster(tmp_path: Path, free_port: FreePort) -> Iterator[Site]:
    """A cluster of one node that serves every slot."""
    server = Server(tmp_path, free_port(), "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        server.start()
        _serve_all_slots(server)
        with Site(server.url) as site:
            yield site
    finally:
        server.kill()


def _serve_all_slots(server: Server) -> None:
    deadline = time.monotonic() + 10
    with contextlib.closing(sync_redis.Redis(port=server.port)) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16_383)
        while not _is_served(client):
            assert time.monotonic() < deadline, "the cluster does not serve"


def _is_served(client: sync_redis.Redis) -> bool:
    info = cast("dict[str, str]", client.execute_command("CLUSTER INFO"))
    return info["cluster_state"] == "ok"


def _explore(site: Site, how: settings, *, number: int = 0) -> None:
    @seed(number)
    def machine() -> Machine:
        return Machine(site)

    try:
        run_state_machine_as_test(machine, settings=how)  # pyright: ignore[reportArgumentType] it takes what makes one
    except Exception as error:
        error.add_note(f"seed {number}")
        raise


def test_any_order_keeps_to_the_protocol(plain: Site) -> None:
    """Two thousand steps, the same ones every day."""
    _explore(plain, EVERYDAY)


def test_any_order_keeps_to_the_protocol_in_a_cluster(cluster: Site) -> None:
    """The same, where no script may touch a key in another slot."""
    _explore(cluster, EVERYDAY)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["plain", "cluster"])
def test_many_more_orders_keep_to_the_protocol(kind: str, request: pytest.FixtureRequest) -> None:
    """Others every time; a find tells its seed."""
    site = request.getfixturevalue(kind)

    _explore(site, LONG, number=secrets.randbits(32))
