"""The models as Anthropic's clients list them."""

from typing import Any

import anthropic
import pytest
from starlette.datastructures import QueryParams

from gateway.anthropic.models import page_of
from shared.errors import Refused
from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL

from .conftest import Asking

NAMES = [f"model-{number}" for number in range(5)]
CLAUDE_CODE = {"anthropic-version": "2023-06-01", "authorization": "Bearer none", "x-app": "cli"}


async def test_the_sdk_lists_models_and_aliases(serving: Serving) -> None:
    """Over as many pages as it takes, each once."""
    aliases = ",".join(f"claude-{number}={MODEL}" for number in range(4))
    async with (
        serving(model_alias=aliases) as served,
        anthropic.AsyncAnthropic(base_url=str(served.http.base_url), api_key="none") as sdk,
    ):
        found = [model async for model in sdk.models.list(limit=2)]
        one = await sdk.models.retrieve("claude-3")

    assert [model.id for model in found] == [MODEL, *(f"claude-{number}" for number in range(4))]
    assert one in found
    assert (one.type, one.display_name, one.lifecycle) == ("model", "claude-3", "active")
    assert one.created_at.timestamp() == 0


async def test_a_coding_agent_finds_the_models(serving: Serving) -> None:
    """Claude Code asks once, for all of them."""
    async with serving(model_alias=f"claude-x={MODEL}") as served:
        answer = await served.http.get("/v1/models?limit=1000", headers=CLAUDE_CODE)
        openais = await served.http.get("/v1/models")

    assert set(answer.json()) == {"data", "has_more", "first_id", "last_id"}
    assert [model["display_name"] for model in answer.json()["data"]] == [MODEL, "claude-x"]
    assert openais.json()["object"] == "list"
    assert answer.headers["vary"] == openais.headers["vary"] == "anthropic-version"


async def test_an_unknown_model_is_not_found(asking: Asking) -> None:
    """In Anthropic's envelope, as the SDK expects it; without a key, too."""
    async with asking() as asked:
        with pytest.raises(anthropic.NotFoundError) as raised:
            await asked.sdk.models.retrieve("claude-y")
        with pytest.raises(anthropic.BadRequestError, match="`after_id`"):
            await asked.sdk.models.list(after_id="claude-y")
    async with asking(key="s3cret") as asked:
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            await asked.sdk.models.list()

    assert raised.value.type == "not_found_error"
    assert unknown.value.type == "authentication_error"


PAGES: list[tuple[dict[str, Any], list[int], bool]] = [
    ({}, [0, 1, 2, 3, 4], False),
    ({"limit": "2"}, [0, 1], True),
    ({"limit": "5"}, [0, 1, 2, 3, 4], False),
    ({"limit": "2", "after_id": "model-1"}, [2, 3], True),
    ({"limit": "2", "after_id": "model-2"}, [3, 4], False),
    ({"after_id": "model-4"}, [], False),
    ({"limit": "2", "before_id": "model-3"}, [1, 2], True),
    ({"limit": "2", "before_id": "model-2"}, [0, 1], False),
    ({"before_id": "model-0"}, [], False),
    ({"lifecycle[]": "retired"}, [], False),
]


@pytest.mark.parametrize(("params", "numbers", "has_more"), PAGES)
def test_a_page_is_what_stands_behind_or_before_a_model(
    params: dict[str, str], numbers: list[int], has_more: bool
) -> None:
    """In the list's order either way; `has_more` is of the direction that was asked for."""
    page = page_of(NAMES, QueryParams(params))

    names = [f"model-{number}" for number in numbers]
    assert ([model.id for model in page.data], page.has_more) == (names, has_more)
    assert (page.first_id, page.last_id) == ((names[0], names[-1]) if names else (None, None))


def test_a_lifecycle_may_be_one_of_several() -> None:
    """All models here are active."""
    assert page_of(NAMES, QueryParams([("lifecycle[]", "active"), ("lifecycle[]", "retired")])).data


@pytest.mark.parametrize(
    ("params", "param"),
    [
        *(({"limit": limit}, "limit") for limit in ("0", "1001", "x", "٣", "-1", "0000000001999")),
        ({"after_id": "nobody"}, "after_id"),
        ({"before_id": "nobody"}, "before_id"),
        ({"after_id": "model-1", "before_id": "model-3"}, "before_id"),
    ],
)
def test_a_page_that_is_none_is_refused(params: dict[str, str], param: str) -> None:
    """By the parameter's name."""
    with pytest.raises(Refused) as raised:
        page_of(NAMES, QueryParams(params))

    assert (raised.value.code, raised.value.param) == ("invalid_value", param)
