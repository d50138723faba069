"""The real engine, loaded on demand: two small models of random weights, and room for one."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from shared.event import Done, Token
from tests.conftest import Eventually

from .conftest import Site, Sites


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A folder with two models in it."""
    for name in ("one", "two"):
        command = [sys.executable, "-m", "worker.catalog", "synthetic", "tiny", str(tmp_path / "models" / name)]
        subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "models"


@pytest.mark.long
async def test_two_models_take_the_place_of_each_other(site: Sites, folders: Path, eventually: Eventually) -> None:
    """Each is loaded for its job within the one's limit, and unloaded for the other's; both answer, again and again."""
    async with site() as here:
        one, two = here.beside("one"), here.beside("two")
        flags = ["--on-demand", "one=1.2,two=1.2", "--models-memory-gb", "2", "--slots", "2", "--drain-s", "0.2"]
        machine = here.start_worker(*flags, MLX_POOL_MODELS=str(folders))
        await two.becomes("standby", within=60)

        ends = [await _answer(each) for each in (one, two, one)]

        assert all(isinstance(end, Done) for end in ends)
        view, other = await one.becomes("ready"), await two.becomes("standby")
        assert (view.loads, view.unloads, other.loads, other.unloads) == (2, 1, 1, 1)
        assert "engine_died" not in machine.said

        async def tells_its_limit() -> bool:
            return (await one.view()).memory_limit_bytes == 2 << 30

        await eventually(tells_its_limit)


@pytest.mark.long
async def test_what_is_not_here_is_fetched_when_it_is_wanted(site: Sites, tmp_path: Path) -> None:
    """Its queue is there at once; the first job brings the model to the machine, loads it, and is answered."""
    async with site() as here:
        default = here.beside("smollm2-135m")
        here.start_worker("--on-demand", "smollm2-135m=3", "--models-memory-gb", "3", MLX_POOL_MODELS=str(tmp_path))
        before = await default.becomes("standby", within=60)
        was_here = (tmp_path / "smollm2-135m").exists()

        answer = asyncio.create_task(_answer(default))
        await default.becomes("loading")

        assert isinstance(await answer, Done)
        assert not was_here
        assert (tmp_path / "smollm2-135m").exists()
        assert (await default.becomes("ready")).load_s < before.load_s


async def _answer(here: Site) -> object:
    story = await here.story(await here.put("hello", max_tokens=20, min_tokens=20), within=90)
    assert sum(len(event.tokens) for event in story.events if isinstance(event, Token)) == 20
    return story.end
