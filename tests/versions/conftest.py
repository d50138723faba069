"""Pools of two versions: which part is of which is all that a test has to say."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal

import pytest

from tests.pool import Pool
from tests.ports import FreePort

from .earlier import NoHistory, last_released, reworded, unpack

# `reworded`: the earlier one with scripts of another text, which so differ from this one's however little has changed.
Version = Literal["this", "earlier", "reworded"]
Trees = Mapping[Version, Path | None]
StartMixed = Callable[..., AbstractAsyncContextManager[Pool]]


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    """Where the code of each version is; None for this checkout."""
    folder = tmp_path_factory.mktemp("versions")
    try:
        earlier = unpack(last_released(), folder / "earlier")
    except NoHistory as missing:
        pytest.skip(str(missing))
    return {"this": None, "earlier": earlier, "reworded": reworded(earlier, folder / "reworded")}


@pytest.fixture
def start_mixed(broker: str, free_port: FreePort, tmp_path: Path, trees: Trees) -> StartMixed:
    """Give what starts a pool of a gateway and workers, each of its version, for one `async with` block."""

    @contextlib.asynccontextmanager
    async def start(
        *, gateway: Version, workers: Sequence[Version] = (), slots: int = 8, step_ms: float = 10
    ) -> AsyncGenerator[Pool]:
        pool = Pool(broker, free_port(), tmp_path, {}, tree=trees[gateway])
        try:
            for version in workers:
                pool.add_worker(slots=slots, step_ms=step_ms, tree=trees[version])
            await pool.ready(len(workers))
            yield pool
        finally:
            await pool.close()

    return start
