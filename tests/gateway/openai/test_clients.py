"""Requests as clients that are in use send them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Serving
from tests.gateway.hand import tokens

from .sdk import CHAT, STOP, answered, chunks_of

SHAPES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "shapes.json").read_text("utf-8"))


@pytest.mark.parametrize("shape", SHAPES, ids=[shape["client"] for shape in SHAPES])
async def test_a_client_is_served_as_it_is(serving: Serving, shape: dict[str, Any]) -> None:
    """Whatever it names its models, and whatever it sends besides; nothing that counts is lost."""
    body = shape["body"]
    async with serving(model_alias="*=tiny") as served:
        told, job = await answered(served, served.http.post(CHAT, json=body), *tokens("안", "녕"), STOP)

        assert told.status_code == 200, told.text
        answers = chunks_of(told.text) if body.get("stream") else [told.json()]
        assert {answer["model"] for answer in answers} == {body["model"]}
        assert set(told.headers.get("x-mlx-pool-ignored", "").split(", ")) == set(shape["ignored"].split(", "))
        assert shape["job"].items() <= job.items()
        assert [message["role"] for message in job["messages"]] == [each["role"] for each in body["messages"]]
        assert job.get("tools", []) == body.get("tools", [])
