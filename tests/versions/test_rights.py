"""A worker whose user of Redis has the rights that an earlier version needed."""

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.connection import connect
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.pool import Pool
from tests.ports import FreePort
from worker.refusals import TELL_AGAIN_S, Refusals


@pytest.mark.long
async def test_a_worker_says_which_right_it_lacks_and_goes_on_once_it_has_it(
    own_broker: Server, free_port: FreePort, tmp_path: Path, eventually: Eventually
) -> None:
    """Its log names the command that is denied; the job waits, and is served without a restart."""
    admin = connect(own_broker.url, name="test")
    await admin.command("ACL", "SETUSER", "before", "on", ">word", "~*", "&*", "+@all", "-xclaim")
    url = f"redis://before:word@127.0.0.1:{own_broker.port}/0"
    pool = Pool(own_broker.url, free_port(), tmp_path, {}, {"worker": url})
    try:
        pool.add_worker()
        await pool.ready(1)
        asked = asyncio.create_task(pool.http.post("/chat", json={"prompt": "x", "max_tokens": 3}))
        await eventually(lambda: "redis_refuses" in pool.logged() and "xclaim" in pool.logged())
        assert not asked.done()
        await admin.command("ACL", "SETUSER", "before", "+xclaim")
        answer = await asked
    finally:
        await pool.close()
        await admin.aclose()

    assert '"done"' in answer.text


def test_a_refusal_is_told_once_a_minute() -> None:
    """A worker asks several times a second: its log must stay readable."""
    refusals, now_s = Refusals(), time.monotonic()

    with capture_logs() as told:
        for after_s in (0, 0.2, 30, TELL_AGAIN_S, TELL_AGAIN_S + 1):
            refusals.hear("no right to XCLAIM", now_s + after_s)
        refusals.hear("READONLY", now_s + 1)

    assert [line["reason"] for line in told] == ["no right to XCLAIM", "no right to XCLAIM", "READONLY"]
