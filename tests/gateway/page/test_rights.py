"""Who may see a job's life, and decide on dead letters."""

from typing import Any

import pytest

from gateway.page.surface import without_password
from tests.gateway.access.conftest import GivenKeys
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, Served, refusal

BODY = '{"prompt":"x"}'


async def bury(served: Served, **fields: str) -> str:
    """Have a dead letter; its name."""
    told = {"why": "poisoned", "at": "1", "id": "old", "body": BODY, "on": "mac-1 mac-2", **fields}
    flat = [word for pair in told.items() for word in pair]
    name: bytes = await served.hand.broker.command("XADD", served.hand.queue.keys.dead, "*", *flat)
    return name.decode()


async def test_a_jobs_life_is_told_to_its_tenant_and_to_operators(serving: Serving, keys: GivenKeys) -> None:
    """Steps, machines and times; no word of what was asked."""
    who, other, operator = keys.give("who"), keys.give("other"), keys.give("op", may_operate=True)
    async with serving(keys=keys.path) as served:
        body = {"prompt": "a secret", "id": "mine", "background": True, "stream": False}
        job_id = (await served.http.post("/chat", json=body, headers=who)).json()["id"]
        await served.hand.generate("an answer")

        own = await served.http.get("/pool/jobs/mine", headers=who)
        steps = [step["what"] for step in own.json()["steps"]]
        assert (steps[:2], steps[-1]) == (["queued", "claimed"], "done")
        assert "secret" not in own.text
        assert "answer" not in own.text
        assert (await served.http.get(f"/pool/jobs/{job_id}", headers=operator)).json() == own.json()
        assert refusal(await served.http.get(f"/pool/jobs/{job_id}", headers=other))[:2] == (404, "job_not_found")


async def test_a_direct_jobs_life_is_for_operators(serving: Serving, keys: GivenKeys) -> None:
    """Its default id is its entry's, which anybody could guess."""
    who, operator = keys.give("who", tenant="acme"), keys.give("op", may_operate=True)
    async with serving(keys=keys.path) as served:
        words = ("XADD", served.hand.queue.keys.jobs("std"), "*", "body", BODY, "tenant", "acme")
        entry: bytes = await served.hand.broker.command(*words)
        await served.hand.generate("a")
        path = f"/pool/jobs/std-{entry.decode()}"

        assert (await served.http.get(path, headers=operator)).json()["state"] == "ended"
        assert (await served.http.get(path, headers=who)).status_code == 404


async def test_dead_letters_are_for_operators(serving: Serving, keys: GivenKeys) -> None:
    """They show what somebody asked."""
    who, operator = keys.give("who"), keys.give("op", may_operate=True)
    async with serving(keys=keys.path) as served:
        name = await bury(served)
        asked = {"model": MODEL, "letter": name}

        assert refusal(await served.http.get("/pool/dead", headers=who))[:2] == (403, "key_not_allowed")
        for deed in ("retry", "drop"):
            answer = await served.http.post(f"/pool/dead/{deed}", json=asked, headers=who)
            assert refusal(answer)[:2] == (403, "key_not_allowed")
        [letter] = (await served.http.get("/pool/dead", headers=operator)).json()["letters"]
        assert (letter["letter"], letter["why"], letter["on"], letter["body"]) == (
            name,
            "poisoned",
            "mac-1 mac-2",
            BODY,
        )


async def test_a_letter_that_is_run_again_is_gone(serving: Serving) -> None:
    """As a new job; asked twice, the second time there is none."""
    async with serving() as served:
        asked = {"model": MODEL, "letter": await bury(served)}

        decided = (await served.http.post("/pool/dead/retry", json=asked)).json()
        job = await served.hand.claim()
        again = await served.http.post("/pool/dead/retry", json=asked)

        assert (job.id, job.body.decode()) == (decided["job"], BODY)
        assert refusal(again)[:2] == (404, "not_found")
        assert (await served.http.get("/pool/dead")).json() == {"letters": []}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": "none", "letter": "1-0"}, "model_not_found"),
        ({"model": MODEL, "letter": "- + COUNT"}, "invalid_value"),
        ({"model": MODEL}, "missing_field"),
        ({"model": MODEL, "letter": "1-0", "all": True}, "unknown_field"),
    ],
)
async def test_a_letter_is_named_exactly(serving: Serving, body: dict[str, Any], code: str) -> None:
    """What is not the name of one drops none."""
    async with serving() as served:
        name = await bury(served)

        assert refusal(await served.http.post("/pool/dead/drop", json=body))[1] == code
        [letter] = (await served.http.get("/pool/dead")).json()["letters"]
        assert letter["letter"] == name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("redis://:s3cret@mac.local:6380/0", "redis://:PASSWORD@mac.local:6380/0"),
        ("rediss://gw:s3@cret@mac.local:6380/0?ssl_ca_certs=/a/b", "rediss://gw:PASSWORD@mac.local:6380/0"),
        ("rediss://:s@mac:1/0?ssl_certfile=/a&ssl_pin=ab", "rediss://:PASSWORD@mac:1/0?ssl_pin=ab"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    """Nor with the files of this machine; with the server's pin, which is none of its secrets."""
    assert without_password(url) == shown
