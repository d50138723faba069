"""What keeps good requests out: who asks, how much they ask for, and whether anybody is there; alike on every API."""

import asyncio
from typing import Protocol

import httpx

from shared.limits import write_limits
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Eventually, Serving
from tests.gateway.hand import MODEL, Served

from .apis import APIS, CHAT, HEADERS, OPENAI_CHAT
from .conftest import Draining
from .row import ROWS, check, check_headers

BACKGROUND = {"prompt": "x", "background": True, "stream": False}


class Own(Protocol):
    """A broker of the test's own."""

    url: str

    def kill(self) -> None:
        """Kill it by SIGKILL."""
        ...


async def occupy(served: Served, **headers: str) -> None:
    """Submit a job that nobody takes."""
    answer = await served.http.post("/chat", json=BACKGROUND, headers=headers)
    assert answer.status_code == 202


async def test_without_a_key_nobody_is_let_in(serving: Serving) -> None:
    """A missing key and a wrong one are the same, on bulk's routes and on those that do not exist, too."""
    async with serving(key="s3cret") as served:
        for api in APIS:
            check(api, await api.post(served.http), "invalid_api_key")
            check(api, await api.post(served.http, authorization="Bearer wrong"), "invalid_api_key")
            check(api, await served.http.get(f"{api.path}/nowhere", headers=HEADERS), "invalid_api_key")
        for path in ("/v1/files", "/v1/batches", "/v1/models"):
            check(OPENAI_CHAT, await served.http.get(path, headers=HEADERS), "invalid_api_key")


async def test_a_model_that_a_key_is_not_for_is_denied(serving: Serving, keys: GivenKeys) -> None:
    """The field is `model` everywhere."""
    who = keys.give("who", models=["other"])

    async with serving(keys=keys.path) as served:
        for api in APIS:
            check(api, await api.post(served.http, **who), "key_not_allowed", "model")


async def test_who_asks_too_often_is_told_when_to_come_back(serving: Serving, keys: GivenKeys) -> None:
    """Every API's requests count, and all of them have the headers that tell how it stands."""
    who = keys.give("who", limits={"requests_per_minute": 1})

    async with serving(keys=keys.path) as served:
        await occupy(served, **who)
        for api in APIS:
            answer = await api.post(served.http, **who)
            check(api, answer, "rate_limited")
            assert answer.headers["x-ratelimit-remaining-requests"] == "0"


async def test_who_has_too_many_jobs_is_told_when_to_come_back(serving: Serving, keys: GivenKeys) -> None:
    """As with too many requests."""
    who = keys.give("who", limits={"concurrent_jobs": 1})

    async with serving(keys=keys.path) as served:
        await occupy(served, **who)
        for api in APIS:
            check(api, await api.post(served.http, **who), "too_many_jobs")


async def test_a_full_queue_is_told_with_the_time_to_come_back(serving: Serving) -> None:
    """No API has a way around it."""
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"waiting": 1})
        await occupy(served)
        for api in APIS:
            check(api, await api.post(served.http), "queue_full")


async def test_a_key_that_stands_for_another_request_is_a_mistake(serving: Serving) -> None:
    """An Idempotency-Key means one request, whichever API it came by."""
    mine = {"idempotency-key": "mine"}

    async with serving() as served:
        await occupy(served, **mine)
        for api in APIS:
            check(api, await api.post(served.http, **mine), "idempotency_mismatch")


async def test_without_a_worker_clients_come_back_later(serving: Serving) -> None:
    """As long as none has ever come, at once."""
    async with serving(has_worker=False) as served:
        for api in APIS:
            check(api, await api.post(served.http), "no_worker")


async def test_without_redis_clients_come_back_later(serving: Serving, own_broker: Own, eventually: Eventually) -> None:
    """Bulk's routes as well: they have nothing else."""
    async with serving(url=own_broker.url) as served:
        own_broker.kill()

        async def is_known() -> bool:
            return (await CHAT.post(served.http)).status_code == 503

        await eventually(is_known)
        for api in APIS:
            check(api, await api.post(served.http), "broker_down")
        for path in ("/v1/files", "/v1/batches", "/v1/models"):
            check(OPENAI_CHAT, await served.http.get(path, headers=HEADERS), "broker_down")


async def test_a_gateway_that_stops_sends_clients_elsewhere(draining: Draining) -> None:
    """What was not begun is not begun any more."""
    async with draining() as http:
        for api in APIS:
            check(api, await api.post(http), "draining")


async def test_a_gateway_without_a_place_says_so_before_it_reads(serving: Serving) -> None:
    """So it can't know whose words are expected, and has no request to name: it is one answer for all."""
    row = ROWS["gateway_full"]

    async with serving(max_connections=1) as served:
        assert (await served.http.get("/health/live")).status_code == 200
        for api in APIS:
            async with httpx.AsyncClient(base_url=served.http.base_url) as second:
                answer = await api.post(second)
            assert (answer.status_code, answer.headers["content-type"]) == (row.status, "application/json")
            assert answer.json()["error"] | {"message": ""} == {
                "message": "",
                "type": row.type,
                "param": None,
                "code": "gateway_full",
            }
            check_headers(row, answer)


async def test_many_who_are_refused_do_not_come_back_together(serving: Serving) -> None:
    """Retry-After is spread: what was too much at once would be so again."""
    async with serving(has_worker=False) as served:
        answers = await asyncio.gather(*(api.post(served.http) for api in APIS for _ in range(5)))

        assert len({answer.headers["retry-after-ms"] for answer in answers}) > len(answers) / 2
