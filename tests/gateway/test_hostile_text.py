"""Text that readers of streams may take for something else, where a model never says it as its answer."""

import json

import pytest

from gateway.frames import EventStream
from shared.event import Done, Token, ToolCall, Usage
from tests.heard import STREAMS, Heard
from tests.readers import READERS, Reader, cut_into
from worker.engine.scripted.vocabulary import PIECES

from .conftest import Serving
from .hand import MODEL
from .openai.sdk import answered

HOSTILE = b"".join(PIECES["hostile"]).decode(errors="ignore")
ARGUMENTS = json.dumps({"city": HOSTILE}, ensure_ascii=False)
CALLED = Done(reason="tool_calls", usage=Usage(prompt_tokens=3, completion_tokens=3))
EVENTS = [
    Token(reasoning=HOSTILE, tokens=[1]),
    Token(content=HOSTILE, warning=HOSTILE, tokens=[2]),
    Token(tool_calls=[ToolCall(0, "4wqnzp2k9", "f", ARGUMENTS)], tokens=[3]),
    CALLED,
]


@pytest.mark.parametrize("path", STREAMS)
async def test_thoughts_calls_and_warnings_are_heard_alike(serving: Serving, path: str) -> None:
    """By every reader, however the network cuts the stream; completions are told of the text alone."""
    stream = STREAMS[path]
    body = {**stream.ask, "model": MODEL, "stream": True}

    async with serving() as served:
        posting = served.http.post(path, json=body, headers={"accept": "text/event-stream"})
        answer, _ = await answered(served, posting, *EVENTS)

    whole = Heard(HOSTILE, HOSTILE, ARGUMENTS, HOSTILE)
    for size in (1, 7, 1 << 20):
        pieces = cut_into([answer.content], size)
        heard = {name: stream.heard(reader(pieces)) for name, reader in READERS.items()}
        assert heard == dict.fromkeys(READERS, Heard(HOSTILE) if path == "/v1/completions" else whole)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_sign_of_life_is_no_event(reader: Reader) -> None:
    """Also behind an event that had an id, where an empty line would be one to many readers."""
    event, alive = b'id: 1-0-00000000\ndata: {"status":"token"}\n\n', EventStream.keep_alive

    assert len(reader([alive, event, alive, alive, event, alive])) == 2
