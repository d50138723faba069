"""Requests as clients that are in use send them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Serving
from tests.gateway.hand import tokens
from tests.gateway.openai.sdk import STOP, answered

SHAPES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "shapes.json").read_text("utf-8"))


@pytest.mark.parametrize("shape", SHAPES, ids=[shape["client"] for shape in SHAPES])
async def test_a_client_is_served_as_it_is(serving: Serving, shape: dict[str, Any]) -> None:
    """Whatever it names its models, and whatever it sends besides; nothing that counts is lost."""
    body = shape["body"]
    async with serving(model_alias="*=tiny") as served:
        told, job = await answered(served, served.http.post("/v1/responses", json=body), *tokens("a"), STOP)

        assert told.status_code == 200, told.text
        assert f'"model":"{body["model"]}"' in told.text
        assert set(told.headers.get("x-mlx-pool-ignored", "").split(", ")) == set(shape["ignored"].split(", "))
        assert [message["role"] for message in job["messages"]] == shape["roles"]
        calls = [call for message in job["messages"] for call in message.get("tool_calls", [])]
        answers = [message["tool_call_id"] for message in job["messages"] if message["role"] == "tool"]
        assert [call["id"] for call in calls] == answers
        assert [tool["function"]["name"] for tool in job.get("tools", [])] == [t["name"] for t in body.get("tools", [])]
