"""The scripts as files and as programs: whole, documented, public, and bound to one slot."""

import contextlib
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from shared import scripts
from shared.claims import Row
from shared.errors import Fault
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.ports import FreePort

from .conftest import BODY, Lab, Labs, done, started, token


@pytest.mark.parametrize("name", scripts.NAMES)
def test_a_script_opens_with_what_it_takes_and_gives_and_why_it_is_atomic(name: str) -> None:
    """Who reads only the head knows how to call it."""
    own = files(scripts).joinpath(f"{name}.lua").read_text("utf-8").splitlines()

    head = "\n".join(itertools.takewhile(lambda line: line.startswith("--"), own))

    for word in ("KEYS", "RETURNS", "Atomic"):
        assert word in head


@pytest.mark.parametrize("name", scripts.NAMES)
def test_a_script_declares_itself_and_what_it_may_do(name: str) -> None:
    """`#!lua` makes a wrong slot fail anywhere; all but what begins something run when memory is full: so it drains."""
    first = scripts.source(name).splitlines()[0]

    flags: dict[str, str] = dict.fromkeys(("submit", "file_append", "bulk_open"), "")
    flags |= dict.fromkeys(("peek", "ahead", "survey"), " flags=no-writes")
    assert first == "#!lua" + flags.get(name, " flags=allow-oom")


@pytest.mark.parametrize("name", scripts.NAMES)
def test_every_key_of_a_script_is_under_the_queues_prefix(name: str) -> None:
    """No key is named but through T, so none can lie in another slot; a reply's is checked when it is taken in."""
    calls = re.findall(r"redis\.p?call\('([A-Z]+)', ([^,)]*)", scripts.source(name))

    keyless = {"TIME", "INFO", "PUBSUB", "XINFO", "XGROUP", "MEMORY", "XREADGROUP"}
    named = [key for command, key in calls if command not in keyless]
    allowed = re.compile(r"T \.\. |jobs\(|window\(|home\(|key$|log$|j\.key|j\.reply")
    assert [key for key in named if not allowed.match(key)] == []


def test_a_script_prints_itself_for_other_languages() -> None:
    """`python -m shared.scripts submit` is what a service in another language loads."""
    printed = subprocess.run(
        [sys.executable, "-m", "shared.scripts", "submit"], capture_output=True, check=True, text=True
    )

    assert printed.stdout == scripts.source("submit")


def test_an_unknown_script_is_a_usage_error() -> None:
    """The names that there are stand in the answer."""
    refused = subprocess.run(
        [sys.executable, "-m", "shared.scripts", "nope"], capture_output=True, check=False, text=True
    )

    assert refused.returncode == 1
    assert "submit" in refused.stderr


async def test_a_server_that_forgot_its_scripts_is_told_again(lab: Labs) -> None:
    """A restart or a SCRIPT FLUSH costs one more round trip."""
    async with lab() as here:
        await here.submit("a")
        await here.redis("SCRIPT", "FLUSH")

        assert (await here.submit("b"))[0].is_new


@pytest.fixture
def cluster(tmp_path: Path, free_port: FreePort) -> Iterator[Server]:
    """A cluster of one node, on which a script that leaves its slot fails."""
    server = Server(tmp_path, free_port(), "--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    try:
        server.start()
        yield server
    finally:
        server.kill()


async def test_no_script_leaves_its_slot(cluster: Server, eventually: Eventually) -> None:
    """On a cluster of one node, where a wrong slot fails, a job goes every way that there is."""
    async with Lab(cluster.url) as here:
        await here.redis("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        await eventually(lambda: _serves(here))
        worker = await here.worker()
        await here.xadd(body=BODY, id="direct", reply=f"{here.keys.prefix}:reply:me")
        await here.submit("a", "b", "c", attached=True)
        for job in await here.claim(worker, 4):
            await worker.append([Row(job.id, 1, 1, [started(1, 1), token(2)])])
        await worker.finish(Row("a", 1, 3, [done(3)]), "done")
        await worker.finish(Row("direct", 1, 3, [done(3)]), "done")
        await worker.release("b", 1, not_on="mac")
        await worker.fail([("c", 1, 16)])
        await here.redis("XADD", f"{here.keys.prefix}:cancels", "*", "id", "c")
        await worker.mine([])
        await here.bury(worker)
        await here.queue.cancel("b")
        await here.queue.keep("b", b"note")
        await here.submit("d")
        await here.queue.forget("d")

        survey = await here.queue.survey()

        assert (survey.waiting_total, survey.running) == (0, 0)
        assert [peek.state for peek in await here.queue.peek(["a", "b", "c", "direct"]) if peek] == ["ended"] * 4
        with pytest.raises(Fault, match=r"slot|CROSSSLOT"):
            await here.redis("EVAL", "#!lua\nredis.call('SET', KEYS[1]..'x', 1) return 1", 1, "pool:m")


async def test_in_a_cluster_silence_buries_nobody(cluster: Server, eventually: Eventually) -> None:
    """A node counts its own listeners only: who listens at another looks deaf here, and its lease decides."""
    async with Lab(cluster.url) as here:
        await here.redis("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        await eventually(lambda: _serves(here))
        worker = await here.worker()
        await here.tick()
        await here.redis("HSET", here.tick_key, "settling", 0)
        now = await here.now_ms()
        await here.redis("ZADD", here.keys.workers, now + 1_300, worker.worker_id)
        await here.redis("HSET", here.keys.worker(worker.worker_id), "since", now - 10_000, "listens", 1)

        assert [(await here.tick()).workers for _ in range(3)] == [0, 0, 0]


async def _serves(here: Lab) -> bool:
    with contextlib.suppress(Fault):
        return await here.redis("EXISTS", "any key") == 0
    return False


async def test_a_full_redis_drains_instead_of_sticking(own_broker: Server) -> None:
    """Submits are refused before they write; what runs is told, ended and let go; then all is as before."""
    async with Lab(own_broker.url) as here:
        worker = await here.worker()
        await here.running("a", worker, tokens=1)
        await here.submit("b")
        await here.redis("CONFIG", "SET", "maxmemory", 1)

        with pytest.raises(Fault) as refused:
            await here.submit("c")
        (verdict,) = await worker.append([Row("a", 1, 3, [token(3)])])
        finished = await worker.finish(Row("a", 1, 4, [done(4)]), "done")

        assert "memory" in refused.value.message
        assert (verdict.verdict, finished) == ("ok", ("ok", 4))
        assert await here.queue.cancel("b") == "cancelled"
        await here.redis("CONFIG", "SET", "maxmemory", 0)
        assert (await here.submit("c"))[0].is_new
