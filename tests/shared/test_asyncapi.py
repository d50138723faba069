"""docs/asyncapi.json is what the code says, and what really stands in Redis is what it tells of."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from shared.asyncapi.channels import CHANNELS
from shared.asyncapi.document import document
from shared.claims import Row
from shared.event import Done, Error, Started, Token, TokenLogprob, ToolCall, TopLogprob, Usage, encode_event
from shared.job import Job, Message, TemplateKwargs, encode_job
from shared.tools import Function, Tool
from tests.documents import Object, closed, errors_in, references

from .conftest import Lab, Labs
from .test_protocol_page import section

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.json"
TOLD: Object = json.loads(FILE.read_text("utf-8"))
# What a producer may say is as closed as the parser; of what it reads, nothing may be forgotten.
COMPONENTS = closed(TOLD["components"], but=set())


def wrong(message: str, value: object) -> list[str]:
    """What the document finds wrong with a message."""
    return errors_in(value, TOLD["components"]["messages"][message]["payload"], COMPONENTS)


def test_the_file_is_what_the_code_says() -> None:
    """`make asyncapi` writes it anew."""
    assert FILE.read_bytes() == document()


def test_every_reference_leads_somewhere() -> None:
    """And there are no words of OpenAPI that AsyncAPI has for something else."""
    assert set(references(TOLD)) <= set(TOLD["components"]["schemas"])
    assert "discriminator" not in FILE.read_text("utf-8")


@pytest.mark.parametrize("message", TOLD["components"]["messages"])
def test_the_examples_are_such_messages(message: str) -> None:
    """Whoever copies one gets on."""
    [example] = TOLD["components"]["messages"][message]["examples"]

    assert wrong(message, example["payload"]) == []


@pytest.mark.parametrize(
    "job",
    [
        Job(prompt="안녕하세요", max_tokens=64),
        Job(tokens=[1, 2], kind="text", stop=["a", "b"], logit_bias={"7": -1.5}, seed=2**63 - 1, class_="lo"),
        Job(
            messages=[Message("user", "x")],
            tools=[Tool("function", Function("f", parameters={"type": "object"}))],
            tool_choice="required",
            template_kwargs=TemplateKwargs(enable_thinking=True),
            background=True,
        ),
    ],
)
def test_a_body_is_a_job(job: Job) -> None:
    """What the parser's own encoder writes; in the entry as text."""
    assert wrong("job", {"body": encode_job(job).decode(), "id": "my-id", "timeout_ms": "1000", "v": "1"}) == []


@pytest.mark.parametrize(
    "entry",
    [
        *({}, {"body": "{"}, {"body": '{"prompt":""}'}, {"body": '{"propmt":"x"}'}),
        *(
            {"body": '{"prompt":"x"}', **more}
            for more in ({"id": "a b"}, {"timeout_ms": "soon"}, {"reply": "x"}, {"v": "2"})
        ),
    ],
)
def test_what_workers_refuse_is_wrong_here_too(entry: dict[str, str]) -> None:
    """A producer can know before it writes."""
    assert wrong("job", entry)


def test_an_entry_has_the_fields_of_the_page() -> None:
    """docs/protocol.md and the document tell of the same."""
    names = [line.split(" | ")[0] for line in section("A job").splitlines() if line.startswith("| `")]

    told = set(TOLD["components"]["schemas"]["JobEntry"]["properties"])
    assert told == {name for cell in names for name in re.findall(r"`([^`]*)`", cell)}


def test_the_channels_are_those_of_the_page() -> None:
    """Each is named in docs/protocol.md by its key."""
    keys = section("Keys")

    for channel in CHANNELS:
        key = channel.address.removeprefix("pool:{queue}:").partition(":")[0].partition("{")[0]
        assert f"`T:{key}" in keys


async def test_what_redis_holds_is_what_is_told(lab: Labs) -> None:
    """A job by XADD, its events in the log, on the channel, and its end in the reply stream."""
    likely = TokenLogprob("안", -0.1, [236], top_logprobs=[TopLogprob("네", -1.5, [235])])
    said = [
        Started(seq=1, worker="w", attempt=1, seed=1, prompt_tokens=1, prompt_hash="p"),
        Token(seq=2, content="안", reasoning="흠", tokens=[1], logprobs=[likely], warning="hm"),
        Token(seq=3, tool_calls=[ToolCall(0, "c", "f", "{}")], tokens=[2]),
        Done(seq=4, reason="tool_calls", usage=Usage(1, 2), stop="x"),
    ]
    async with lab() as here:
        reply, worker = f"{here.keys.prefix}:reply:me", await here.worker()
        async with here.subscribed(here.keys.channel("mine")) as subscriber:
            await here.xadd(body=b'{"prompt":"x"}', id="mine", reply=reply)
            job = await here.claim_one(worker)
            await worker.finish(Row(job.id, job.attempt, 1, [encode_event(event) for event in said]), "done")

            assert wrong("batch", (await subscriber.message()).decode()) == []
        entries = await fields(here, here.keys.log("mine"))
        assert [wrong("logged", entry) for entry in entries] == [[]] * len(said)
        assert [wrong("reply", entry) for entry in await fields(here, reply)] == [[]]


async def test_errors_and_dead_letters_are_told(lab: Labs) -> None:
    """An entry that can't be run ends in an error, or among the dead."""
    async with lab() as here:
        broken = await here.xadd(body=b"x" * 2_000_000)
        await here.xadd(body=b'{"prompt":"x"}', id="a b")
        await here.claim(await here.worker())

        [error] = await fields(here, here.keys.log(broken))
        [letter] = await fields(here, here.keys.dead)
        assert wrong("logged", error) == []
        assert isinstance(await here.last(broken), Error)
        assert wrong("deadLetter", {name: letter[name] for name in ("why", "at", "on", "id", "body")}) == []


async def fields(here: Lab, key: str) -> list[dict[str, Any]]:
    """A stream's entries as text."""
    entries = await here.redis("XRANGE", key, "-", "+")
    return [{name.decode(): value.decode() for name, value in told.items()} for _, told in entries]
