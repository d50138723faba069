"""Following a job: formats, ids, replay, one job for many clients."""

import asyncio
import json

import msgspec
import pytest

from shared.event import Cancelled, Done, Error, Token, TokenLogprob, ToolCall, TopLogprob, Usage

from .conftest import Eventually, Serving
from .hand import DONE, events_of, refusal, sse_of, text_in, tokens

PROMPT = {"prompt": "안녕하세요"}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
TEXTS = ("안녕", " 하세요\n", "👩‍👩‍👧", ' "quoted" \\ ', "줄\u2028바꿈\u2029끝\x85.")


async def test_a_stream_tells_start_text_and_end(serving: Serving) -> None:
    """NDJSON is the default: every event a line, numbered from 1; ids of tokens stay inside the pool."""
    async with serving() as served:
        answer = await served.run(PROMPT, "안", "녕")

        job_id = answer.headers["x-job-id"]
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert events_of(answer.text) == [
            {"status": "started", "seq": 1, "id": job_id, "model": "tiny", "worker": served.hand.name, "attempt": 1},
            {"status": "token", "seq": 2, "content": "안"},
            {"status": "token", "seq": 3, "content": "녕"},
            {
                "status": "done",
                "seq": 4,
                "reason": "stop",
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 0},
                "timings": {"queued_ms": 0.0, "prefill_ms": 0.0, "decode_ms": 0.0},
            },
        ]


async def test_any_text_comes_through_in_every_format(serving: Serving) -> None:
    """Korean, joined emoji, quotes and the line breaks that common clients trip over: the same text three times."""
    async with serving() as served:
        ndjson = await served.run(PROMPT, *TEXTS)
        sse = await served.run(PROMPT, *TEXTS, accept="text/event-stream")
        plain = await served.run(PROMPT, *TEXTS, accept="text/plain")

        texts = [event.get("content", "") for _, event in sse_of(sse.text)]
        assert text_in(ndjson.text) == "".join(texts) == plain.text == "".join(TEXTS)
        assert len(sse.text.splitlines()) == sse.text.count("\n")
        assert len(ndjson.text.splitlines()) == len(TEXTS) + 2
        assert "\ufffd" not in ndjson.text + sse.text + plain.text


async def test_one_object_holds_the_whole_answer(serving: Serving) -> None:
    """`stream: false` waits for the end and gives content, reason, usage and timings."""
    async with serving() as served:
        answer = await served.run(PROMPT | {"stream": False}, *TEXTS)

        whole = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert whole["content"] == "".join(TEXTS)
        assert (whole["reason"], whole["model"], whole["id"]) == ("stop", "tiny", answer.headers["x-job-id"])
        assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 0}
        assert set(whole["timings"]) == {"queued_ms", "prefill_ms", "decode_ms"}


async def test_one_object_holds_thoughts_and_calls_too(serving: Serving) -> None:
    """Gathered from all events; `tool_calls` is the reason where the model waits for their answers."""
    called = [ToolCall(at, f"id{at}", "get_weather", '{"city":"서울"}') for at in range(2)]
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT | {"tools": TOOLS, "stream": False}))
        job = await served.hand.claim()
        told = [Token(reasoning="흠", tokens=[1]), *(Token(tool_calls=[call], tokens=[2]) for call in called)]
        end = Done(reason="tool_calls", usage=Usage(3, 2))
        await served.hand.end(job, served.hand.started(job), *told, Token(content="a", warning="w", tokens=[3]), end)

        whole = (await posting).json()

        assert whole["tool_calls"] == msgspec.to_builtins(called)
        assert (whole["content"], whole["reasoning"], whole["warnings"]) == ("a", "흠", ["w"])
        assert (whole["reason"], msgspec.json.decode(job.body)["tools"]) == ("tool_calls", TOOLS)


async def test_logprobs_come_as_the_worker_said_them(serving: Serving) -> None:
    """With the text whose ids they are, in a stream; all of them in one object."""
    entries = [TokenLogprob(text, -0.5, [*text.encode()], [TopLogprob("x", -0.25, [120])]) for text in ("안", "\u2028")]
    events = [Token(content=entry.token, tokens=[1], logprobs=[entry]) for entry in entries]
    told = msgspec.to_builtins(entries)
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT | {"logprobs": 1, "stream": False}))
        job = await served.hand.claim()
        await served.hand.end(job, served.hand.started(job), *events, Token(content="a", tokens=[2]), DONE)
        whole = await posting
        path = f"/chat/{job.id}"
        stream = events_of((await served.http.get(path)).text)
        sse = sse_of((await served.http.get(path, headers={"accept": "text/event-stream"})).text)

        assert msgspec.json.decode(job.body)["logprobs"] == 1
        assert whole.json()["logprobs"] == told
        assert [event.get("logprobs") for event in stream] == [None, told[:1], told[1:], None, None]
        assert [event for _, event in sse] == stream


async def test_a_stream_cut_anywhere_is_resumed_exactly(serving: Serving) -> None:
    """From behind event k come k+1 … n, by seq or by event id, and nothing behind the last."""
    async with serving() as served:
        answer = await served.run(PROMPT, *TEXTS)
        path = f"/chat/{answer.headers['x-job-id']}"
        events = events_of(answer.text)
        ids = [mark for mark, _ in sse_of((await served.http.get(path, headers={"accept": "text/event-stream"})).text)]

        for k in range(len(events)):
            by_seq = await served.http.get(path, params={"after": k})
            by_id = await served.http.get(path, headers={"last-event-id": ids[k - 1]} if k else {})
            assert events_of(by_seq.text) == events_of(by_id.text) == events[k:]
        assert (await served.http.get(path, params={"after": len(events)})).status_code == 204


async def test_every_format_resumes_at_every_event(serving: Serving) -> None:
    """Server-sent events and bare text give the same rest as NDJSON."""
    async with serving() as served:
        path = f"/chat/{(await served.run(PROMPT, *TEXTS)).headers['x-job-id']}"

        for k in range(len(TEXTS) + 2):
            sse = await served.http.get(path, params={"after": k}, headers={"accept": "text/event-stream"})
            plain = await served.http.get(path, params={"after": k}, headers={"accept": "text/plain"})

            assert [event["seq"] for _, event in sse_of(sse.text)] == list(range(k + 1, len(TEXTS) + 3))
            assert plain.text == "".join(TEXTS[max(0, k - 1) :])


async def test_a_wrong_place_is_refused(serving: Serving) -> None:
    """What is no id at all is an error; so is that of another stream (`test_marks`)."""
    async with serving() as served:
        path = f"/chat/{(await served.run(PROMPT, 'a', 'b')).headers['x-job-id']}"

        nonsense = await served.http.get(path, params={"after": "soon"})

        assert refusal(nonsense) == (400, "invalid_value", "after")


async def test_a_running_job_can_be_joined_from_its_beginning(serving: Serving) -> None:
    """A second client sees what the first one saw, and then the same as it."""
    async with serving() as served:
        async with served.follow(PROMPT) as first:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await first.until(2)
            async with served.rejoin(job.id) as second:
                await second.until(2)
                await served.hand.end(job, *tokens("b", first=2), DONE)

                assert await first.end() == await second.end()
        assert [event["seq"] for event in first.events] == [1, 2, 3, 4]


@pytest.mark.parametrize("names", [({"id": "mine"}, {}), ({}, {"idempotency-key": "mine"})], ids=["id", "header"])
async def test_a_key_runs_its_job_once(serving: Serving, names: tuple[dict[str, str], dict[str, str]]) -> None:
    """The same key attaches to the running job, and to the finished one, in whatever format."""
    async with serving() as served:
        field, headers = names
        post = served.http.post("/chat", json=PROMPT | field, headers=headers)
        again = served.http.post("/chat", json=PROMPT | field | {"stream": False}, headers=headers)

        first, second, _ = await asyncio.gather(post, again, served.hand.generate("a", "b"))
        third = await served.http.post("/chat", json=PROMPT | field, headers=headers)

        assert first.headers["x-job-id"] == second.headers["x-job-id"] == third.headers["x-job-id"]
        assert text_in(first.text) == second.json()["content"] == text_in(third.text) == "ab"
        assert text_in((await served.http.get("/chat/mine")).text) == "ab"


async def test_a_background_job_is_answered_with_its_id(serving: Serving) -> None:
    """Who does not wait gets 202 at once and fetches the result when it is there."""
    async with serving() as served:
        answer = await served.http.post("/chat", json=PROMPT | {"background": True, "stream": False})
        await served.hand.generate("a", "b")

        assert answer.status_code == 202
        assert answer.json() == {"id": answer.headers["x-job-id"]}
        result = await served.http.get(answer.headers["location"], params={"stream": "false"})
        assert result.json()["content"] == "ab"


async def test_a_later_failure_is_the_last_event(serving: Serving) -> None:
    """Once text was sent the status can't change: the stream says what happened in its last line."""
    async with serving() as served:
        async with served.follow(PROMPT) as client:
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await client.until(2)
            await served.hand.end(job, Error(code="engine_failed", message="no"))
            last = (await client.end())[-1]

        error = {"message": "no", "type": "server_error", "param": None, "code": "engine_failed"}
        assert last == {"status": "error", "seq": 3, "error": error}


async def test_a_failed_stream_never_looks_like_a_finished_one(serving: Serving) -> None:
    """SSE after its error event, and bare text at once, are cut off without the end of the chunked body."""
    async with serving() as served:
        for accept in (b"text/event-stream", b"text/plain"):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            body = json.dumps(PROMPT).encode()
            head = (
                b"POST /chat HTTP/1.1\r\nhost: localhost\r\naccept: %b\r\ncontent-type: application/json\r\n" % accept
            )
            writer.write(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
            job = await served.hand.claim()
            await served.hand.say(job, served.hand.started(job), *tokens("a"))
            await reader.readuntil(b"a")
            await served.hand.end(job, Error(code="engine_failed", message="no"))
            rest = await reader.read()
            writer.close()

            assert not rest.endswith(b"0\r\n\r\n")
            assert (b"engine_failed" in rest) is (accept == b"text/event-stream")


async def test_a_cancelled_job_says_so(serving: Serving, eventually: Eventually) -> None:
    """DELETE ends a waiting job at once, and may be repeated."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT | {"id": "mine"}))

        async def is_there() -> bool:
            return (await served.hand.queue.survey()).waiting_total == 1

        await eventually(is_there)
        first = await served.http.delete("/chat/mine")
        again = await served.http.delete("/chat/mine")

        assert (first.json()["status"], again.json()["status"]) == ("cancelled", "ended")
        assert events_of((await posting).text) == [{"status": "cancelled", "seq": 1, "reason": "cancelled"}]


async def test_a_cancelled_answer_keeps_what_it_had(serving: Serving) -> None:
    """With `stream: false` the text so far comes with the reason `cancelled`."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT | {"stream": False}))
        job = await served.hand.claim()
        assert (await served.http.delete(f"/chat/{job.id}")).json()["status"] == "cancelling"
        await served.hand.end(job, served.hand.started(job), *tokens("a"), Cancelled())

        assert ((await posting).json()["content"], (await posting).json()["reason"]) == ("a", "cancelled")


async def test_events_without_text_are_counted_and_reasoning_is_kept_apart(serving: Serving) -> None:
    """An id whose text is held back is an event like others; what a model thinks is not what it says."""
    async with serving() as served:
        posting = asyncio.create_task(served.http.post("/chat", json=PROMPT))
        job = await served.hand.claim()
        done = Done(reason="length", usage=Usage(prompt_tokens=1, completion_tokens=2, cached_tokens=1))
        thought = Token(reasoning="hm", tokens=[2])
        await served.hand.end(job, served.hand.started(job), Token(tokens=[1]), thought, done)
        events = events_of((await posting).text)

        assert events[1:3] == [
            {"status": "token", "seq": 2, "content": ""},
            {"status": "token", "seq": 3, "content": "", "reasoning": "hm"},
        ]
        assert (events[3]["reason"], events[3]["usage"]["cached_tokens"]) == ("length", 1)
