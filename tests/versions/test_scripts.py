"""The scripts of two versions on one server."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.scripts import digest
from tests.conftest import Eventually

from .conftest import StartMixed, Trees
from .stream import check_whole, events_of

pytestmark = pytest.mark.long


async def test_each_version_runs_its_own_scripts(start_mixed: StartMixed, trees: Trees, eventually: Eventually) -> None:
    """A script is known by its text: two versions' stand side by side, and a server that forgets all is told again."""
    tree = trees["reworded"]
    assert tree
    digests = [digest("take"), _digest_in(tree, "take")]
    async with start_mixed(gateway="reworded", workers=["reworded", "this"], slots=2, step_ms=5) as pool:
        asks = [
            asyncio.create_task(pool.http.post("/chat", json={"prompt": f"job {n}", "max_tokens": 100}))
            for n in range(16)
        ]
        await eventually(lambda: pool.busy(4))
        async with pool.client() as redis:
            are_known = await redis.command("SCRIPT EXISTS", *digests)
            await redis.command("SCRIPT FLUSH")
        answers = await asyncio.gather(*asks)

    assert digests[0] != digests[1]
    assert are_known == [True, True]
    for n, answer in enumerate(answers):
        check_whole(events_of(answer.text), answer.headers["x-job-id"], f"job {n}", 100)


def _digest_in(tree: Path, name: str) -> str:
    printed = subprocess.run(
        [sys.executable, "-m", "shared.scripts", name],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        check=True,
    )
    return hashlib.sha1(printed.stdout, usedforsecurity=False).hexdigest()
