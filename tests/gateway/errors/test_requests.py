"""What is wrong with a request itself: told before anything is done, alike on every API."""

from typing import Any

import pytest

from shared.job import MAX_BODY_BYTES
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served

from .apis import ALL, APIS, CHAT, HEADERS, OPENAI_CHAT, RESPONSES, Api
from .row import check

WRONG = [(code, api) for api in ALL for code in api.wrong]


async def waiting(served: Served) -> int:
    """How many jobs came of it."""
    return (await served.hand.queue.survey()).waiting_total


@pytest.mark.parametrize(("code", "api"), WRONG, ids=[f"{code}-{api.path}" for code, api in WRONG])
async def test_a_wrong_field_is_named(serving: Serving, code: str, api: Api) -> None:
    """Its path is the one that it has in that API, and no worker hears of the request."""
    change, param = api.wrong[code]

    async with serving() as served:
        check(api, await api.post(served.http, change), code, param)

        assert await waiting(served) == 0


LARGE = b'{"model":"%b"}' % (b"x" * MAX_BODY_BYTES)
BODIES = [
    (b"{", "application/json", "invalid_json"),
    (b"", "application/json", "invalid_json"),
    (b'{"model": "\xff"}', "application/json", "invalid_json"),
    (rb'{"model": "\ud83d"}', "application/json", "invalid_json"),  # half of a pair, as who cuts text in two sends it
    (b"[]", "application/json", "invalid_value"),
    (LARGE, "application/json", "body_too_large"),
    (b"{}", "text/plain", "wrong_content_type"),
    (b"{}", "", "wrong_content_type"),
]


@pytest.mark.parametrize(("body", "kind", "code"), BODIES, ids=[f"{code}-{body[:9]!r}" for body, _, code in BODIES])
async def test_a_body_that_is_none_is_refused_alike(serving: Serving, body: bytes, kind: str, code: str) -> None:
    """Whatever it was meant to be; there is no field to name."""
    async with serving() as served:
        for api in ALL:
            headers = HEADERS | ({"content-type": kind} if kind else {})
            answer = await served.http.post(api.path, content=body, headers=headers)
            check(api, answer, code)


async def test_a_wrong_turn_is_told_in_the_apis_words(serving: Serving) -> None:
    """Routes and methods that do not exist are errors like all others; a method that does is told of."""
    async with serving() as served:
        for api in ALL:
            lost = await served.http.post(f"{api.path}/x/y", json={}, headers=HEADERS)
            wrong = await served.http.put(api.path, json={}, headers=HEADERS)

            check(api, lost, "not_found")
            check(api, wrong, "method_not_allowed")
            assert "POST" in wrong.headers["allow"]


async def test_what_is_asked_for_again_and_is_not_there_is_not_found(serving: Serving) -> None:
    """A job, a response, a file, a batch: unknown and expired are one."""
    async with serving() as served:
        for api, method, path, code in [
            *((CHAT, method, "/chat/x", "job_not_found") for method in ("GET", "DELETE")),
            *((RESPONSES, method, "/v1/responses/resp_x", "job_not_found") for method in ("GET", "DELETE")),
            (RESPONSES, "POST", "/v1/responses/resp_x/cancel", "job_not_found"),
            (RESPONSES, "GET", "/v1/responses/resp_x/input_items", "job_not_found"),
            *((OPENAI_CHAT, method, "/v1/files/file-x", "not_found") for method in ("GET", "DELETE")),
            (OPENAI_CHAT, "GET", "/v1/files/file-x/content", "not_found"),
            (OPENAI_CHAT, "GET", "/v1/batches/batch_x", "not_found"),
            (OPENAI_CHAT, "POST", "/v1/batches/batch_x/cancel", "not_found"),
        ]:
            check(api, await served.http.request(method, path, headers=HEADERS), code)


async def test_a_strange_host_is_told_nothing(serving: Serving) -> None:
    """On no API: the page behind it was never meant to see this gateway."""
    async with serving() as served:
        for api in APIS:
            check(api, await api.post(served.http, host="evil.example"), "host_not_allowed")


NAMES: list[tuple[str, dict[str, Any], str]] = [
    ("/chat", {"type": "function", "function": {"name": "x" * 129}}, "tools[0].function.name"),
    ("/v1/chat/completions", {"type": "function", "function": {"name": "x" * 65}}, "tools[0].function.name"),
    ("/v1/responses", {"type": "function", "name": "x" * 65}, "tools[0].name"),
    ("/v1/messages", {"name": "x" * 129, "input_schema": {}}, "tools[0].name"),
    ("/v1/messages/count_tokens", {"name": "a b", "input_schema": {}}, "tools[0].name"),
    ("/v1/chat/completions", {"type": "function", "function": {"name": "읽기"}}, "tools[0].function.name"),
    ("/v1/responses", {"type": "function", "name": ""}, "tools[0].name"),
]


@pytest.mark.parametrize(("path", "tool", "param"), NAMES, ids=[path for path, _, _ in NAMES])
async def test_a_tools_name_is_bounded(serving: Serving, path: str, tool: dict[str, Any], param: str) -> None:
    """As the API's own makers bound it, in length and in its letters."""
    [api] = [api for api in APIS if api.path == path]

    async with serving() as served:
        check(api, await api.post(served.http, {"tools": [tool]}), "invalid_value", param)


@pytest.mark.parametrize("body", [b"[" * 9_999, b'{"x":' + b"[" * 9_999, b'{"messages":' * 9_999], ids=len)
async def test_a_body_nested_beyond_reason_is_refused(serving: Serving, body: bytes) -> None:
    """Its depth is the client's to choose, and must not be the gateway's stack."""
    async with serving() as served:
        for api in APIS:
            answer = await served.http.post(
                api.path, content=body, headers=HEADERS | {"content-type": "application/json"}
            )
            assert api.refusal(answer)[0] == 400
