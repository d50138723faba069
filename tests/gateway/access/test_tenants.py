"""Tenants: each sees its own jobs, and of the others' not even that they are there."""

import httpx
import pytest
from structlog.testing import capture_logs

from shared.job import queue_tag
from tests.conftest import Eventually
from tests.gateway.conftest import Serving
from tests.gateway.hand import DONE, MODEL, Served, events_of, refusal, tokens

from .conftest import GivenKeys, Headers
from .routes import all_routes

BACKGROUND = {"prompt": "x", "background": True, "stream": False}
OWN = {"x-request-id", "date"}  # of each answer, whatever it is


async def start(served: Served, who: Headers, **fields: str) -> str:
    """Submit a job; its id."""
    answer = await served.http.post("/chat", json=BACKGROUND | fields, headers=who)
    assert answer.status_code == 202
    return answer.json()["id"]


def shown(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer that could tell something."""
    return (
        answer.status_code,
        answer.content,
        {name: value for name, value in answer.headers.items() if name not in OWN},
    )


async def test_a_job_is_its_tenants(serving: Serving, keys: GivenKeys) -> None:
    """The worker is told whose it is; its tenant reads it by any of its keys; nobody else does."""
    phone, laptop, other = keys.give("phone", tenant="me"), keys.give("laptop", tenant="me"), keys.give("other")
    async with serving(keys=keys.path) as served:
        job_id = await start(served, phone)
        job = await served.hand.generate("a")

        mine = await served.http.get(f"/chat/{job_id}", headers=laptop)
        others = await served.http.get(f"/chat/{job_id}", headers=other)

        assert job.tenant == "me"
        assert events_of(mine.text)[1]["content"] == "a"
        assert refusal(others) == (404, "job_not_found", None)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_anothers_job_answers_exactly_like_none(serving: Serving, keys: GivenKeys, method: str) -> None:
    """By its id and by its owner's name for it: body, status and headers are those of an unknown job."""
    owner, other = keys.give("owner"), keys.give("other")
    async with serving(keys=keys.path) as served:
        await start(served, owner, id="mine")
        ours = [await start(served, owner), "mine"]
        unknown = f"{queue_tag(MODEL)}-{'0' * 32}"

        answers = [await served.http.request(method, f"/chat/{each}", headers=other) for each in (*ours, unknown)]

        assert shown(answers[0]) == shown(answers[1]) == shown(answers[2])
        assert (await served.hand.queue.survey()).waiting_total == 2


async def test_one_name_for_two_tenants_jobs_is_two_jobs(serving: Serving, keys: GivenKeys) -> None:
    """An Idempotency-Key means something to whoever chose it only; the same words from another tenant run apart."""
    one, two = keys.give("one"), keys.give("two")
    async with serving(keys=keys.path) as served:
        ids = {await start(served, who, id="daily-report") for who in (one, two)}

        assert len(ids) == 2
        assert {(await served.hand.claim()).tenant for _ in ids} == {"one", "two"}


async def test_a_tenant_cancels_and_resumes_its_own(serving: Serving, keys: GivenKeys) -> None:
    """Nothing is lost by having a key of one's own."""
    who = keys.give("who")
    async with serving(keys=keys.path) as served:
        ended, cancelled = await start(served, who), await start(served, who)
        job = await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), *tokens("a"), DONE)

        rest = await served.http.get(f"/chat/{ended}", headers=who, params={"after": 1})
        left = await served.http.delete(f"/chat/{cancelled}", headers=who)

        assert [event["seq"] for event in events_of(rest.text)] == [2, 3]
        assert left.json()["status"] == "cancelled"


async def test_a_revoked_key_opens_nothing_more(serving: Serving, keys: GivenKeys, eventually: Eventually) -> None:
    """Within a second or so, without a restart; its answer is that of a key that never was."""
    who = keys.give("who")
    async with serving(keys=keys.path) as served:
        assert (await served.http.get("/pool", headers=who)).status_code == 200
        keys.revoke("who")

        async def is_shut() -> bool:
            return (await served.http.get("/pool", headers=who)).status_code == 401

        await eventually(is_shut, within=5)
        revoked, never = [
            await served.http.get("/pool", headers=each) for each in (who, {"authorization": "Bearer mlxp_never"})
        ]
        assert shown(revoked) == shown(never)


async def test_a_key_never_stands_in_the_log(serving: Serving, keys: GivenKeys) -> None:
    """Right or wrong; what stands there is the right one's name."""
    who, wrong = keys.give("who"), {"x-api-key": "mlxp_wrong"}
    with capture_logs() as logs:
        async with serving(keys=keys.path) as served:
            for headers in (who, wrong):
                await served.http.post("/chat", json=BACKGROUND, headers=headers)

    written = repr(logs)
    assert [line.get("key") for line in logs if line["event"] == "request_ended"] == ["who", None]
    assert who["authorization"].removeprefix("Bearer ") not in written
    assert "mlxp_" not in written


async def test_every_route_is_closed_to_who_shows_no_key(serving: Serving, keys: GivenKeys) -> None:
    """All routes that the application has, each by each of its methods, and what is no route at all."""
    async with serving(keys=keys.path) as served:
        asked = await all_routes()
        assert ("DELETE", "/chat/{id}") in asked

        for method, path in [*asked, ("GET", "/nowhere")]:
            answer = await served.http.request(method, path)
            # The page's frame has no secrets: somebody has to type the key into it. Nor has what a bare machine needs.
            is_shut = path not in {"/health/live", "/", "/page/{name:path}", "/join", "/join/{name}"}
            assert (answer.status_code == 401, path) == (is_shut, path)
