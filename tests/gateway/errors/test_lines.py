"""What becomes of a line of a batch: in the error file stand the status and envelope that its route would have sent."""

import asyncio
from typing import Any

import pytest

from shared.event import Error
from tests.gateway.bulk.requests import jsonl, make_batch, results, until_ended
from tests.gateway.conftest import Serving
from tests.gateway.openai.sdk import openai_on

from .apis import OPENAI_CHAT, OPENAI_TEXT, RESPONSES, Api, told_in
from .row import ROWS, check_words

ENDS = ("context_length_exceeded", "does_not_fit", "engine_failed", "poisoned", "deadline_exceeded")
WRONG = ("invalid_value", "missing_field", "unsupported", "model_not_found")


@pytest.mark.parametrize("api", [OPENAI_CHAT, OPENAI_TEXT, RESPONSES], ids=lambda api: api.path)
async def test_a_line_fails_as_its_request_would(serving: Serving, api: Api) -> None:
    """Whether the route refuses it or its job fails."""
    bodies: dict[str, Any] = {code: {**api.ask, **api.wrong[code][0]} for code in WRONG}
    bodies |= dict.fromkeys(ENDS, api.ask)
    lines = [{"custom_id": code, "method": "POST", "url": api.path, "body": body} for code, body in bodies.items()]
    async with serving() as served, openai_on(served) as client:
        batch = await make_batch(client, jsonl(*lines), api.path)
        for code, job in [(code, await served.hand.claim()) for code in ENDS]:
            await served.hand.end(job, Error(code=code, message="No."))
        ended = await asyncio.create_task(until_ended(client, batch))

        told = [line["response"] for line in (await results(client, ended.error_file_id)).values()]
        by_code = {told_in(each["body"]["error"]).code: each for each in told}
        assert set(by_code) == {*ENDS, *WRONG}
        for code, each in by_code.items():
            assert each["status_code"] == ROWS[code or ""].status
            assert each["body"]["error"]["type"] == ROWS[code or ""].type
            assert each["request_id"]
            check_words(each["body"]["error"]["message"])
