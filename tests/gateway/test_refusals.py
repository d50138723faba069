"""What is refused before it becomes a job, and how: the envelope, the status, the field's name."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from shared.job import MAX_BODY_BYTES
from shared.keys import Keys
from shared.limits import write_limits

from .conftest import Serving
from .hand import MODEL, refusal

PROMPT = {"prompt": "x"}


BAD_BODIES = [
    ('{"prompt":', "invalid_json", None),
    ("", "invalid_json", None),
    (b'{"prompt": "\xff"}', "invalid_json", None),
    ('{"prompt": 5}', "invalid_value", "prompt"),
    ('{"prompt": ""}', "invalid_value", "prompt"),
    ('{"prompt": "x", "top_k": 9999}', "invalid_value", "top_k"),
    ('{"prompt": "x", "timeout_ms": 3600001}', "invalid_value", "timeout_ms"),
    ('{"prompt": "x", "colour": "red"}', "unknown_field", "colour"),
    ('{"prompt": "x", "tools": []}', "invalid_value", "tools"),
    ('{"prompt": "x", "messages": [{"role": "user", "content": "y"}]}', "invalid_value", "messages"),
    ('{"messages": [{"role": "user"}]}', "missing_field", "messages[0].content"),
    ("{}", "missing_field", "prompt"),
]


async def test_a_bad_body_is_a_400_that_names_the_field(serving: Serving) -> None:
    """Whoever sends what can't be run is told which field is wrong, and no worker hears of it."""
    async with serving() as served:
        for body, code, param in BAD_BODIES:
            answer = await served.http.post("/chat", content=body, headers={"content-type": "application/json"})
            assert refusal(answer) == (400, code, param)

        assert (await served.hand.queue.survey()).waiting_total == 0


async def test_every_wrong_turn_gets_the_envelope(serving: Serving) -> None:
    """Routes, methods and content types that do not exist are errors like all others."""
    async with serving() as served:
        http = served.http
        text = {"content-type": "text/plain"}

        assert refusal(await http.get("/nowhere")) == (404, "not_found", None)
        assert "`GET /` lists" in (await http.post("/v1/embeddings", json={})).text
        assert refusal(await http.post("/chat/", json=PROMPT)) == (404, "not_found", None)
        assert refusal(await http.get("/chat")) == (405, "method_not_allowed", None)
        assert refusal(await http.put("/chat/x", json=PROMPT)) == (405, "method_not_allowed", None)
        assert (await http.head("/chat/x")).status_code == 405
        assert refusal(await http.post("/chat", content=b'{"prompt":"x"}', headers=text)) == (
            415,
            "wrong_content_type",
            None,
        )


async def in_chunks(body: bytes) -> AsyncGenerator[bytes]:
    """A body whose size is not told."""
    for at in range(0, len(body), 65_536):
        yield body[at : at + 65_536]


async def test_a_body_that_is_too_large_is_refused_by_length_and_by_count(serving: Serving) -> None:
    """A bound on the body holds whether the client tells its size or not."""
    body = b'{"prompt":"%s"}' % (b"x" * MAX_BODY_BYTES)
    headers = {"content-type": "application/json"}

    async with serving() as served:
        for content in (body, in_chunks(body)):
            answer = await served.http.post("/chat", content=content, headers=headers)
            assert refusal(answer) == (413, "body_too_large", None)


async def test_what_is_not_http_is_refused_in_the_envelope_too(serving: Serving) -> None:
    """Garbage, and a head without end, cost a small answer and the connection."""
    async with serving() as served:
        for sent in (b"\x16\x03\x01garbage\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 40_000):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(sent)
            answer = await reader.read()
            writer.close()

            assert answer.startswith(b"HTTP/1.1 400")
            assert b'{"error":{"message"' in answer


async def test_an_unknown_model_is_a_404_that_names_those_served(serving: Serving) -> None:
    """A mistyped name would be a queue that nobody reads."""
    async with serving() as served:
        answer = await served.http.post("/chat", json=PROMPT | {"model": "tinny"})

        assert refusal(answer) == (404, "model_not_found", "model")
        assert MODEL in answer.text
        assert await served.hand.broker.command("EXISTS", Keys("tinny").jobs("std")) == 0


async def test_a_full_queue_answers_429_with_the_time_to_come_back(serving: Serving) -> None:
    """Overload is refused early and honestly."""
    async with serving() as served:
        await write_limits(served.hand.broker, MODEL, {"waiting": 1})
        background = PROMPT | {"background": True, "stream": False}
        assert (await served.http.post("/chat", json=background)).status_code == 202

        answer = await served.http.post("/chat", json=PROMPT)

        assert refusal(answer) == (429, "queue_full", None)
        assert 1 <= int(answer.headers["retry-after"]) <= 120
        assert int(answer.headers["retry-after-ms"]) <= 120_000


async def test_a_key_that_was_used_for_another_body_is_a_422(serving: Serving) -> None:
    """A key that stands for two different requests is a mistake that must not be served silently."""
    async with serving() as served:
        body = {"background": True, "stream": False, "id": "mine"}
        assert (await served.http.post("/chat", json=body | {"prompt": "one"})).status_code == 202

        answer = await served.http.post("/chat", json=body | {"prompt": "two"})

        assert refusal(answer) == (422, "idempotency_mismatch", "id")


async def test_two_names_for_one_job_are_refused(serving: Serving) -> None:
    """`id` and Idempotency-Key mean the same, so they must say the same."""
    async with serving() as served:
        answer = await served.http.post("/chat", json=PROMPT | {"id": "a"}, headers={"idempotency-key": "b"})

        assert refusal(answer) == (400, "invalid_value", "id")


@pytest.mark.parametrize("job_id", ["x" * 20, "0123abcd-" + "0" * 32, "std-1700000000000-0", "%20", "a.b"])
async def test_an_unknown_job_is_a_404(serving: Serving, job_id: str) -> None:
    """Unknown, expired, malformed and guessable ids can't be told apart."""
    async with serving() as served:
        assert refusal(await served.http.get(f"/chat/{job_id}")) == (404, "job_not_found", None)
        assert refusal(await served.http.delete(f"/chat/{job_id}")) == (404, "job_not_found", None)


async def test_a_direct_job_is_not_served_under_an_id_that_can_be_guessed(serving: Serving) -> None:
    """The default id of a direct job is its entry's, so anybody could name it."""
    async with serving() as served:
        entry = await served.hand.broker.command("XADD", Keys(MODEL).jobs("std"), "*", "body", '{"prompt":"x"}')
        await served.hand.generate("secret")

        answer = await served.http.get(f"/chat/std-{entry.decode()}")

        assert refusal(answer) == (404, "job_not_found", None)


async def test_without_a_key_all_that_is_the_pools_is_closed(serving: Serving) -> None:
    """Where a key is set, only liveness and the page's frame, where it is typed in, can be asked without it."""
    async with serving(key="s3cret") as served:
        http = served.http

        for method, path in [
            ("POST", "/chat"),
            ("GET", "/chat/x"),
            ("GET", "/pool"),
            ("GET", "/metrics"),
            ("GET", "/pool/events"),
        ]:
            for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
                answer = await http.request(method, path, headers=given)
                assert refusal(answer) == (401, "invalid_api_key", None)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert [(await http.get(path)).status_code for path in ("/health/live", "/")] == [200, 200]
        assert (await http.get("/pool", headers={"authorization": "Bearer s3cret"})).status_code == 200
