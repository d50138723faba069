"""Redis came back without the last things it had said: a claim among them."""

import pytest

from .conftest import Site, Sites


async def lose_the_claim(here: Site, job_id: str, *, with_log: bool) -> None:
    """Let Redis be as it was before the job's claim, with or without what was logged since."""
    lua = (
        "local entry = string.match(redis.call('HGET', KEYS[1], 'entry'), ':(.*)$') "
        "redis.call('XACK', KEYS[3], 'workers', entry) redis.call('XGROUP', 'SETID', KEYS[3], 'workers', '0-0') "
        "redis.call('HSET', KEYS[1], 'state', 'waiting', 'attempt', 0) redis.call('HDEL', KEYS[1], 'owner') "
        "if ARGV[1] == '0' then redis.call('DEL', KEYS[2]) redis.call('HSET', KEYS[1], 'seq', 0) end "
        "redis.call('XADD', KEYS[3], '*', 'id', 'rings-the-bell', 'body', '{\"prompt\":\"x\",\"max_tokens\":1}')"
    )
    keys = here.queue.keys
    names = (keys.job(job_id), keys.log(job_id), keys.jobs("std"))
    await here.client.command("EVAL", lua, 3, *names, int(with_log))


@pytest.mark.parametrize("with_log", [False, True])
async def test_a_claim_that_redis_lost_is_never_run_twice_under_one_number(site: Sites, *, with_log: bool) -> None:
    """A worker that is given a job it holds already drops its run and gives the job back: the stream has no seam.

    If it flushes before it claims it finds itself fenced, and has dropped its run already.
    """
    async with site() as here:
        machine = here.start(engine="--step-ms 10")
        job_id = await here.put(max_tokens=150)
        await here.has_tokens(job_id, 10)

        await lose_the_claim(here, job_id, with_log=with_log)

        story = await here.story(job_id)
        story.assert_undisturbed()
        assert ("fenced" if story.starts[-1].attempt == 1 else "claimed_again") in machine.said
