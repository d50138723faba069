"""A conversation's next turn is looked for where the turn before was, whichever API its client speaks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from gateway.admission import outlines_of
from gateway.openai.chat_job import chat_job
from gateway.openai.chat_request import ChatRequest
from gateway.openai.fields import CHAT, TEXT
from gateway.openai.reading import read_request
from gateway.openai.text_job import text_jobs
from gateway.openai.text_request import TextRequest
from shared.job import Job, Message
from shared.outline import Outline, decode_outline, outline_of

from .conftest import Serving
from .hand import Served

Object = dict[str, Any]
HELLO: list[Object] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "안녕하세요"}]
MORE: Object = {"role": "user", "content": "more"}
BRIEF: Object = {"model": "tiny", "max_tokens": 64, "system": "be brief", "messages": HELLO[1:]}


def told_again(first: Object, answer: Object) -> Object:
    """The next turn of who keeps its history, in the words of the API."""
    said: Sequence[Object] = [
        *([{"role": "assistant", "content": answer["content"]}] if "content" in answer else []),
        *(choice["message"] for choice in answer.get("choices", [])),
    ]
    return first | {"messages": [*first["messages"], *said, MORE]}


def gone_on_with(first: Object, answer: Object) -> Object:
    """The next turn of who leaves its history here."""
    return first | {"input": "more", "previous_response_id": answer["id"]}


def sent_again(first: Object, answer: Object) -> Object:
    """The next turn of who sends items back as they came."""
    return first | {"input": [{"role": "user", "content": first["input"]}, *answer["output"], MORE]}


APIS: dict[str, tuple[str, Object, Callable[[Object, Object], Object]]] = {
    "chat": ("/chat", {"messages": HELLO, "stream": False}, told_again),
    "openai": ("/v1/chat/completions", {"messages": HELLO}, told_again),
    "anthropic": ("/v1/messages", BRIEF, told_again),
    "responses": ("/v1/responses", {"input": "안녕하세요", "instructions": "be brief"}, sent_again),
    "previous response": ("/v1/responses", {"input": "안녕하세요", "instructions": "be brief"}, gone_on_with),
}


async def asked(served: Served, path: str, body: Object) -> tuple[Outline, Object]:
    """The outline that a request's job has on the queue, and what it is answered."""
    answer, job = await asyncio.gather(served.http.post(path, json=body), served.hand.generate("네", "!"))
    return decode_outline(job.outline), answer.json()


@pytest.mark.parametrize("api", APIS)
async def test_two_turns_make_a_chain(serving: Serving, api: str) -> None:
    """The first turn's whole prompt is what the second one's home is looked for by."""
    path, first, next_of = APIS[api]
    async with serving() as served:
        before, answer = await asked(served, path, first)
        now, _ = await asked(served, path, next_of(first, answer))

        assert now.homes[0] == before.prefixes[-1]
        assert now.prefixes[: len(before.prefixes)] == before.prefixes
        assert len(now.prefixes) == len(before.prefixes) + 2


def chat(**fields: Any) -> Job:
    """The job of a request in OpenAI's words."""
    return chat_job(read_request(msgspec.json.encode({"messages": HELLO} | fields), ChatRequest, CHAT)[0])


@pytest.mark.parametrize("key", ["session-1", "k" * 300, "줄\n바꿈"])
def test_a_prompt_cache_key_is_an_affinity(key: str) -> None:
    """Requests of one key share a home, however long it is; an empty one is none."""
    one, other = chat(prompt_cache_key=key), chat(prompt_cache_key=key, messages=[MORE])
    body = msgspec.json.encode({"prompt": "a", "prompt_cache_key": key})
    [text] = text_jobs(read_request(body, TextRequest, TEXT)[0])

    [shared] = {home.hash for home in outline_of(one, "").homes} & {home.hash for home in outline_of(other, "").homes}
    assert shared in {home.hash for home in outline_of(text, "").homes}
    assert outline_of(chat(prompt_cache_key=""), "") == outline_of(chat(), "")


def test_each_prompt_of_a_request_has_its_own_outline() -> None:
    """Several answers to one prompt have the same one; a tenant's are no other's."""
    jobs = [Job(prompt="a", kind="text", seed=seed) for seed in (1, 2)] + [Job(prompt="b", kind="text")]

    one, same, other = outlines_of(jobs, "")

    assert one == same != other
    assert outlines_of(jobs, "tenant")[0] != one
    assert decode_outline(outlines_of([Job(messages=[Message("user", "x")])], "")[0]).tokens > 0
