"""A key's limits, over HTTP: what is refused, with which headers, and what is given back."""

import asyncio

import httpx

from shared.event import Cancelled
from shared.limits import write_limits
from tests.conftest import Broker as Server
from tests.conftest import Eventually
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, Served, refusal

from .conftest import GivenKeys, Headers

PROMPT = {"prompt": "x"}
BACKGROUND = PROMPT | {"background": True, "stream": False, "max_tokens": 100}


async def post(served: Served, who: Headers, **fields: object) -> httpx.Response:
    """Submit a job that nobody follows."""
    return await served.http.post("/chat", json=BACKGROUND | fields, headers=who)


def left(answer: httpx.Response, what: str) -> int:
    """What remains of a limit, as an answer tells."""
    return int(answer.headers[f"x-ratelimit-remaining-{what}"])


async def test_requests_a_minute_are_counted_and_told(serving: Serving, keys: GivenKeys) -> None:
    """Each answer tells how many are left; the one too many is refused, with the time at which it would not be."""
    who = keys.give("who", limits={"requests_per_minute": 2})
    async with serving(keys=keys.path) as served:
        answers = [await post(served, who) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert [left(answer, "requests") for answer in answers] == [1, 0, 0]
        assert refusal(answers[2]) == (429, "rate_limited", None)
        assert 28 <= int(answers[2].headers["retry-after"]) <= 45
        assert answers[2].headers["x-ratelimit-limit-requests"] == "2"
        assert answers[0].headers["x-ratelimit-reset-requests"] == "30s"
        assert "x-ratelimit-limit-tokens" not in answers[0].headers


async def test_limits_hold_at_all_gateways_together(serving: Serving, keys: GivenKeys) -> None:
    """Whoever asks at two doors has no more than whoever asks at one."""
    who = keys.give("who", limits={"requests_per_minute": 5})
    async with serving(keys=keys.path) as one, serving(keys=keys.path, has_worker=False) as two:
        answers = await asyncio.gather(*(post(served, who) for served in (one, two) for _ in range(5)))

        assert sorted(answer.status_code for answer in answers) == [202] * 5 + [429] * 5


async def test_reading_costs_no_requests(serving: Serving, keys: GivenKeys) -> None:
    """Only what asks for work is counted; looking, resuming and cancelling are free."""
    who = keys.give("who", limits={"requests_per_minute": 1})
    async with serving(keys=keys.path) as served:
        job_id = (await post(served, who)).json()["id"]
        await served.hand.generate("a")

        for path in ("/pool", "/metrics", "/health", f"/chat/{job_id}", f"/chat/{job_id}?stream=false"):
            assert (await served.http.get(path, headers=who)).status_code == 200
        assert (await served.http.delete(f"/chat/{job_id}", headers=who)).status_code == 200


async def test_tokens_are_taken_in_advance_and_put_right_at_the_end(
    serving: Serving, keys: GivenKeys, eventually: Eventually
) -> None:
    """What a job may cost is held back while it runs; then only what it did cost is gone."""
    who = keys.give("who", limits={"tokens_per_minute": 1_000})
    async with serving(keys=keys.path) as served:
        posting = served.http.post("/chat", json=PROMPT | {"max_tokens": 900}, headers=who)
        answer, _ = await asyncio.gather(posting, served.hand.generate("a", "b"))
        assert left(answer, "tokens") < 100

        async def is_put_right() -> bool:
            level = await served.hand.broker.command("HGET", "pool:key:{who}:rate", "tokens")
            return 990 <= float(level) <= 1_000

        await eventually(is_put_right)
        assert left(await post(served, who), "tokens") > 850


async def test_a_budget_that_is_spent_refuses_until_it_has_filled(serving: Serving, keys: GivenKeys) -> None:
    """The time to come back is that at which this very request would pass."""
    who = keys.give("who", limits={"tokens_per_minute": 150})
    async with serving(keys=keys.path) as served:
        assert (await post(served, who)).status_code == 202

        refused = await post(served, who)
        small = await post(served, who, max_tokens=1)

        assert refusal(refused) == (429, "rate_limited", None)
        assert 15 <= int(refused.headers["retry-after"]) <= 60
        assert small.status_code == 202


async def test_a_request_beyond_a_minutes_worth_needs_all_of_it(serving: Serving, keys: GivenKeys) -> None:
    """It is not shut out for ever: with a full budget it passes; the rest is owed, since nobody follows it."""
    who = keys.give("who", limits={"tokens_per_minute": 50})
    async with serving(keys=keys.path) as served:
        answers = [await post(served, who, max_tokens=5_000), await post(served, who, max_tokens=1)]

        assert [answer.status_code for answer in answers] == [202, 429]
        assert left(answers[0], "tokens") == 0
        assert float(await served.hand.broker.command("HGET", "pool:key:{who}:rate", "tokens")) == -500
        assert answers[1].headers["x-ratelimit-reset-tokens"].startswith(("10m", "11m"))


async def test_what_the_queue_refuses_is_given_back(serving: Serving, keys: GivenKeys) -> None:
    """A full queue costs neither tokens nor a place; nor does asking again for a job that is there."""
    who = keys.give("who", limits={"tokens_per_minute": 1_000, "concurrent_jobs": 2})
    async with serving(keys=keys.path) as served:
        first = await post(served, who, id="a")
        await write_limits(served.hand.broker, MODEL, {"waiting": 1})

        refused = [await post(served, who) for _ in range(8)]
        again = await post(served, who, id="a")

        assert {refusal(answer)[1] for answer in refused} == {"queue_full"}
        assert again.status_code == 202
        await write_limits(served.hand.broker, MODEL, {"waiting": 10})
        assert left(await post(served, who), "tokens") >= left(first, "tokens") - 130


async def test_jobs_at_once_are_those_that_have_not_ended(serving: Serving, keys: GivenKeys) -> None:
    """Nobody tells the gateway of a background job's end: it finds out when it matters."""
    who = keys.give("who", limits={"concurrent_jobs": 2})
    async with serving(keys=keys.path) as served:
        for _ in range(2):
            assert (await post(served, who)).status_code == 202

        refused = await post(served, who)
        await served.hand.generate("a")
        taken = [await post(served, who) for _ in range(2)]

        assert refusal(refused) == (429, "too_many_jobs", None)
        assert int(refused.headers["retry-after"]) >= 1
        assert [answer.status_code for answer in taken] == [202, 429]


async def test_a_client_that_leaves_frees_its_place(serving: Serving, keys: GivenKeys, eventually: Eventually) -> None:
    """Its job is cancelled, and counts no more."""
    who = keys.give("who", limits={"concurrent_jobs": 1})
    async with serving(keys=keys.path) as served:
        async with served.follow(PROMPT, **who) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job))
            await client.until(1)
            assert refusal(await post(served, who))[1] == "too_many_jobs"
        await eventually(lambda: served.hand.is_given_up(job))
        await served.hand.end(job, Cancelled(reason="unheard"))

        assert (await post(served, who)).status_code == 202


async def test_several_answers_are_several_jobs(serving: Serving, keys: GivenKeys) -> None:
    """All or none: a request for more than there is room for takes no place; one for too many is never to come back."""
    who = keys.give("who", limits={"concurrent_jobs": 3})
    async with serving(keys=keys.path) as served:
        assert (await post(served, who)).status_code == 202
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}

        many, too_many = [
            await served.http.post("/v1/chat/completions", json=body | {"n": n}, headers=who) for n in (3, 4)
        ]

        assert refusal(many)[:2] == (429, "too_many_jobs")
        assert refusal(too_many)[:2] == (403, "key_not_allowed")
        assert [(await post(served, who)).status_code for _ in range(3)] == [202, 202, 429]


async def test_without_redis_a_limited_key_gets_a_503(serving: Serving, keys: GivenKeys, own_broker: Server) -> None:
    """Nobody is let through uncounted, and nobody is told that he asked too much."""
    who = keys.give("who", limits={"requests_per_minute": 5})
    async with serving(keys=keys.path, url=own_broker.url) as served:
        assert (await post(served, who)).status_code == 202
        own_broker.kill()

        assert refusal(await post(served, who)) == (503, "broker_down", None)
        own_broker.start()
