"""The models' names, and the other names that lead to them."""

import pytest
from openai import NotFoundError

from tests.gateway.conftest import Serving
from tests.gateway.hand import MODEL, tokens

from .sdk import ASK, STOP, answered, openai_on

ALIASES = "gpt-x=tiny,my/model=tiny,lost=elsewhere"


async def test_served_models_are_listed_and_then_aliases(serving: Serving) -> None:
    """An alias that leads nowhere now is not a model that can be asked for."""
    async with serving(model_alias=ALIASES) as served, openai_on(served) as client:
        assert [model.id async for model in client.models.list()] == [MODEL, "gpt-x", "my/model"]


async def test_a_model_is_told_under_the_name_that_was_asked_for(serving: Serving) -> None:
    """A slash in a name is a part of it; an unknown name is a 404."""
    async with serving(model_alias=ALIASES) as served, openai_on(served) as client:
        for name in (MODEL, "gpt-x", "my/model"):
            assert (await client.models.retrieve(name)).id == name
        for name in ("lost", "gpt-y"):
            with pytest.raises(NotFoundError) as raised:
                await client.models.retrieve(name)
            assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("aliases", "asked"), [("gpt-x=tiny", "gpt-x"), ("*=tiny", "claude-\u2028"), ("*=tiny", "tiny"), ("", "tiny")]
)
async def test_the_answer_carries_the_name_that_was_asked_for(serving: Serving, aliases: str, asked: str) -> None:
    """Clients compare it with what they sent; the job goes to the model that is meant."""
    async with serving(model_alias=aliases) as served, openai_on(served) as client:
        ask = client.chat.completions.create
        told, job = await answered(served, ask(model=asked, messages=ASK), *tokens("a"), STOP)
        stream, _ = await answered(served, ask(model=asked, messages=ASK, stream=True), *tokens("a"), STOP)

        assert (told.model, job["model"]) == (asked, MODEL)
        assert {chunk.model async for chunk in stream} == {asked}


async def test_an_alias_does_for_the_pool_s_own_api_too(serving: Serving) -> None:
    """One meaning of a name, whoever asks."""
    async with serving(model_alias="*=tiny") as served:
        answer = await served.run({"prompt": "x", "model": "whatever", "stream": False}, "a")

        assert answer.json()["model"] == MODEL
