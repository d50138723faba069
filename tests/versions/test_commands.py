"""The operator's commands of one version on a pool of the other."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually

from .conftest import StartMixed, Trees, Version

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("commands", "pools"), [("earlier", "this"), ("this", "earlier")])
async def test_an_operator_of_one_version_looks_after_a_pool_of_the_other(
    start_mixed: StartMixed, trees: Trees, eventually: Eventually, commands: Version, pools: Version
) -> None:
    """Who works and what waits is told, a job's life too; and a worker that is asked to drain leaves."""
    async with start_mixed(gateway=pools, workers=[pools]) as pool:
        answer = await pool.http.post("/chat", json={"prompt": "x", "max_tokens": 3})
        flags = ("--redis", pool.broker, "--json")
        status = await _ask(trees[commands], "status", *flags)
        queue = await _ask(trees[commands], "queue", *flags)
        job = await _ask(trees[commands], "job", answer.headers["x-job-id"], *flags)
        (worker,) = [each["id"] for each in (await pool.http.get("/pool")).json()["workers"]]
        await _ask(trees[commands], "drain", worker, *flags)
        await eventually(lambda: pool.workers[0].poll() is not None)

    assert worker in json.dumps(status)
    assert [each["model"] for each in queue["queues"]] == ["scripted"]
    assert [step["what"] for step in job["steps"]][-1] == "done"
    assert pool.workers[0].returncode == 0


async def _ask(tree: Path | None, *argv: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mlx_pool", *argv),
        stdout=asyncio.subprocess.PIPE,
        cwd=tree,
        env=os.environ | ({"PYTHONPATH": str(tree)} if tree else {}),
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, argv
    return json.loads(out)
