"""What a job's fields are called here, where somebody finds fault with one."""

import asyncio
from typing import Any

import pytest

from gateway.anthropic.words import in_their_words
from shared.errors import Refused
from shared.event import Error
from tests.gateway.conftest import Serving

from .speech import HELLO

WORDS = [
    ("tools[2].function.parameters.type", "tools[2].input_schema.type"),
    ("tools[0].function.name", "tools[0].name"),
    ("response_format.json_schema.schema.not", "output_config.format.schema.not"),
    ("messages[7].content", "messages"),
    ("stop", "stop_sequences"),
    ("max_tokens", "max_tokens"),
]


@pytest.mark.parametrize(("param", "theirs"), WORDS)
def test_a_field_is_called_as_the_client_calls_it(param: str, theirs: str) -> None:
    """In the message as well."""
    error = in_their_words(Refused("unsupported", f"`{param}` is not supported.", param=param))

    assert (error.param, error.message) == (theirs, f"`{theirs}` is not supported.")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_a_worker_refuses_is_told_in_the_clients_words(serving: Serving, is_stream: bool) -> None:
    """The worker knows the job only."""
    error = Error(code="unsupported", message="No.", param="tools[0].function.parameters.not")
    async with serving() as served:
        asking = asyncio.create_task(served.http.post("/v1/messages", json=HELLO | {"stream": is_stream}))
        await served.hand.end(await served.hand.claim(), error)

        assert (await asking).json()["error"]["message"] == "`tools[0].input_schema.not`: No."


async def test_what_is_wrong_with_the_tools_together_is_told_so_too(serving: Serving) -> None:
    """What the gateway finds in the job it made, it tells of the request."""
    tool: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}
    async with serving() as served:
        answer = await served.http.post("/v1/messages", json=HELLO | {"tools": [tool, tool]})

        assert answer.json()["error"]["message"] == "`tools[1].name`: Two tools are named look."
