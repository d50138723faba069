import asyncio
import os
import sys
from collections.abc import Awaitable, Callable

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.submit import job_of
from shared.errors import Refused
from tests.pool import StartPool

Eventually = Callable[..., Awaitable[None]]


def test_a_prompt_or_a_whole_body_makes_a_job() -> None:
    """The short form and the long one end in the same job."""
    short = job_of("hello", None, job_class="lo", model="tiny")
    whole = job_of(None, '{"prompt":"hello","class":"lo","model":"tiny"}', job_class=None, model=None)

    assert short == whole


def test_flags_win_over_the_body() -> None:
    """A stored body can be sent to another queue, in another class."""
    job = job_of(None, '{"prompt":"hello","class":"lo","model":"tiny"}', job_class="std", model="big")

    assert (job.class_, job.model) == ("std", "big")


@pytest.mark.parametrize(("prompt", "body"), [(None, None), ("hello", "{}")])
def test_it_is_one_or_the_other(prompt: str | None, body: str | None) -> None:
    """Neither a prompt nor a body, or both, is no job."""
    with pytest.raises(Unusable, match="--json"):
        job_of(prompt, body, job_class=None, model=None)


def test_a_broken_body_is_refused_with_its_field() -> None:
    """What the gateway would refuse is refused before it reaches the queue."""
    with pytest.raises(Refused) as refused:
        job_of(None, '{"prompt":"hello","temperature":9}', job_class=None, model=None)

    assert refused.value.param == "temperature"


async def test_a_job_whose_events_nobody_reads_any_more_is_cancelled(
    start_pool: StartPool, eventually: Eventually
) -> None:
    """`mlx-pool submit … | head -1` gives its seat back, and ends without a complaint."""
    async with start_pool(workers=1, slots=1, step_ms=20) as pool:
        reading, writing = os.pipe()
        submitting = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mlx_pool", "submit", "--redis", pool.broker),
            *("--json", '{"prompt":"hello","max_tokens":5000}'),
            stdout=writing,
            stderr=asyncio.subprocess.PIPE,
        )
        os.close(writing)
        with os.fdopen(reading, "rb") as reader:
            assert b'"started"' in await asyncio.to_thread(reader.readline)
            await eventually(lambda: pool.busy(1))

        _, complaint = await submitting.communicate()

        await eventually(lambda: pool.busy(0))
        assert (submitting.returncode, complaint) == (0, b"")
