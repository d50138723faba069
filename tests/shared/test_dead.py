"""Dead letters: what nobody could run is kept, and can be tried again or dropped."""

import pytest

from shared.dead import DeadLetters
from shared.errors import Refused

from .conftest import BODY, Lab, Labs


async def _poison(here: Lab) -> DeadLetters:
    """A queue with one dead letter."""
    worker = await here.worker()
    await here.submit("bad")
    for _ in range(2):
        claimed = await here.claim_one(worker)
        await worker.fail([("bad", claimed.attempt, 0)])
    return DeadLetters(here.client, "m")


async def test_a_dead_letter_tells_what_it_was_and_why(lab: Labs) -> None:
    """The operator sees the job as it was submitted."""
    async with lab() as here:
        (letter,) = await (await _poison(here)).newest(10)

        assert (letter.job, letter.why, letter.body) == ("bad", "poisoned", BODY.decode())


async def test_a_dead_letter_tells_which_hosts_tried(lab: Labs) -> None:
    """Each once, in the order of their attempts; none where nobody could even begin."""
    async with lab() as here:
        await here.submit("bad")
        for host in ("mac-1", "mac-2"):
            worker = await here.worker(host)
            claimed = await here.claim_one(worker)
            await worker.fail([("bad", claimed.attempt, 0)])
        await here.xadd(id="a b", body=BODY)
        await worker.look()

        letters = await DeadLetters(here.client, "m").newest(10)

        assert [(letter.why, letter.on) for letter in letters] == [("bad id", ""), ("poisoned", "mac-1 mac-2")]


async def test_a_retry_is_a_new_job_and_happens_once(lab: Labs) -> None:
    """Said twice at once it runs once; the old id keeps its end."""
    async with lab() as here:
        letters = await _poison(here)
        (letter,) = await letters.newest(10)

        new = await letters.retry(letter.letter)

        assert await here.waiting() == {"lo": 1}
        assert (await here.state("bad"), await here.state(new)) == ("ended", "waiting")
        with pytest.raises(Refused, match="no dead letter"):
            await letters.retry(letter.letter)


async def test_a_retry_finds_its_home_as_the_job_did(lab: Labs) -> None:
    """What its producer told of the prompt's beginning is kept with the letter, and told again."""
    outline = "9 0123456789abcdef:9 0123456789abcdef:9"
    async with lab() as here:
        await here.xadd(id="a b", body=BODY, outline=outline)
        worker = await here.worker()
        await worker.look()
        letters = DeadLetters(here.client, "m")
        (letter,) = await letters.newest(10)

        await letters.retry(letter.letter)

        assert letter.outline == (await here.claim_one(worker)).outline == outline


async def test_a_dropped_letter_is_gone(lab: Labs) -> None:
    """And dropping it again changes nothing."""
    async with lab() as here:
        letters = await _poison(here)
        (letter,) = await letters.newest(10)

        for _ in range(2):
            await letters.drop(letter.letter)

        assert await letters.newest(10) == []


@pytest.mark.parametrize("name", ["foo", "+", "1", "١-1", "99999999999999999999-0"])
async def test_what_names_no_letter_finds_none(lab: Labs, name: str) -> None:
    """Nor is a part of a name taken for the whole: another letter would be tried, and this one kept."""
    async with lab() as here:
        letters = DeadLetters(here.client, "m")
        await here.redis("XADD", here.keys.dead, "1-7", "why", "poisoned", "body", BODY)

        for deed in (letters.read, letters.retry, letters.drop):
            with pytest.raises(Refused, match="no dead letter"):
                await deed(name)

        assert await letters.names() == ["1-7"]


async def test_all_letters_are_named_however_many_they_are(lab: Labs) -> None:
    """Newest first, each once."""
    async with lab() as here:
        for number in range(1, 251):
            await here.redis("XADD", here.keys.dead, f"{number}-1", "why", "poisoned")

        assert await DeadLetters(here.client, "m").names() == [f"{number}-1" for number in range(250, 0, -1)]
