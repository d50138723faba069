"""Programs in other languages, as they stand in `examples/`: a job by one XADD, its text by XREAD, no code of ours."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from shared.job import Ask, seed_of
from tests.pool import MODEL, Pool, StartPool
from worker.engine.scripted.oracle import expected

EXAMPLES = Path(__file__).parents[2] / "examples"
PROMPT = "대한민국 만세 🙂"


def _command(language: str) -> list[str]:
    program = shutil.which(language)
    if program is None:
        pytest.skip(f"{language} is not installed here")
    match language:
        case "node":
            return [program, str(EXAMPLES / "node" / "submit.mjs")]
        case _:
            return [program, "run", str(EXAMPLES / "go" / "submit.go")]


async def _run(pool: Pool, language: str, *arguments: str, **env: str) -> tuple[int | None, str, str]:
    """Run an example; returns its exit code, what it printed, and what it complained of."""
    words = [*_command(language), *arguments]
    pipe, where = asyncio.subprocess.PIPE, {"REDIS_URL": pool.broker}
    process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe, env=os.environ | where | env)
    out, err = await process.communicate()
    return process.returncode, out.decode("utf-8", errors="strict"), err.decode()


async def _only_answer(pool: Pool) -> str:
    """What an undisturbed engine says to the one job that there was."""
    async with pool.client() as client:
        (key,) = await client.command("KEYS", f"pool:{{{MODEL}}}:job:*")
    job_id = key.decode().rpartition(":")[2]
    return expected(Ask(prompt=PROMPT, max_tokens=64), seed_of(job_id)).text


# A cold Go compiler takes its time.
@pytest.mark.parametrize("language", ["node", pytest.param("go", marks=pytest.mark.long)])
async def test_a_job_from_another_language_prints_its_text(start_pool: StartPool, language: str) -> None:
    """Every character arrives, Korean and emoji too, though tokens cut them in pieces."""
    async with start_pool(step_ms=1) as pool:
        code, out, err = await _run(pool, language, PROMPT)

        assert (code, err) == (0, "")
        assert out == await _only_answer(pool) + "\n"


@pytest.mark.long
@pytest.mark.parametrize("language", ["node", "go"])
async def test_a_model_that_nobody_serves_is_told_before_anything_is_sent(start_pool: StartPool, language: str) -> None:
    """A mistyped name would be a stream that nobody reads; the answer names those that there are."""
    async with start_pool() as pool:
        code, out, err = await _run(pool, language, MODEL="smolm2")

        assert code == 1
        assert out == ""
        assert "MODEL must be one of: scripted" in err


@pytest.mark.long
@pytest.mark.parametrize("language", ["node", "go"])
async def test_an_error_is_told_and_is_an_exit_code(start_pool: StartPool, language: str) -> None:
    """A prompt beyond the context ends in an error event, which the program shows."""
    async with start_pool() as pool:
        code, _, err = await _run(pool, language, "long " * 10_000)

        assert code == 1
        assert "context_length_exceeded: " in err
