"""OpenAI's own client on a pool of real processes, with the scripted engine."""

from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from shared.job import Ask, Message, seed_of
from worker.engine.scripted.oracle import expected

StartPool = Callable[..., Any]
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "대한민국 만세 👨‍👩‍👧‍👦"}]
LONG = 200


def said(answer_id: str, **prompt: Any) -> str:
    """What the scripted engine says under the seed of the answer's job."""
    ask = Ask(max_tokens=LONG, temperature=1.0, **prompt)
    return expected(ask, seed_of(answer_id.partition("-")[2])).text


async def test_a_stream_and_a_whole_answer_are_what_the_engine_said(start_pool: StartPool) -> None:
    """Through queue, worker and engine; the counts are the engine's."""
    messages = [Message(role="user", content="대한민국 만세 👨‍👩‍👧‍👦")]
    async with start_pool(step_ms=1) as pool, AsyncOpenAI(base_url=f"{pool.http.base_url}/v1", api_key="x") as client:
        ask = client.chat.completions.create
        whole = await ask(model="scripted", messages=ASK, max_tokens=LONG)
        options: Any = {"include_usage": True}
        stream = await ask(model="scripted", messages=ASK, max_tokens=LONG, stream=True, stream_options=options)
        chunks = [chunk async for chunk in stream]

    streamed = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert whole.choices[0].message.content == said(whole.id, messages=messages)
    assert streamed == said(chunks[0].id, messages=messages)
    assert whole.usage
    assert chunks[-1].usage
    assert whole.usage.prompt_tokens == chunks[-1].usage.prompt_tokens


async def test_several_prompts_have_several_answers(start_pool: StartPool) -> None:
    """Each is a job of its own, on whichever worker."""
    async with start_pool(workers=2, step_ms=1) as pool:
        body = {"prompt": ["하나", "둘", "셋"], "n": 2, "max_tokens": LONG, "echo": True}
        answer = await pool.http.post("/v1/completions", json=body)

    jobs = answer.headers["x-job-id"].split(", ")
    texts = [choice["text"] for choice in answer.json()["choices"]]
    prompts = ["하나", "하나", "둘", "둘", "셋", "셋"]
    assert texts == [
        prompt + said(f"cmpl-{job}", prompt=prompt, kind="text") for job, prompt in zip(jobs, prompts, strict=True)
    ]
