"""The gateway against its own document, on a real socket: requests made from the schemas, answers held to them."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis.core.failures import FailureGroup

from tests.conftest import Broker
from tests.pool import FreePort, Pool

from .asking import ask_badly, ask_well, calls, document

FEW, MANY = 5, 50
CONFIG = Path(__file__).with_name("schemathesis.toml")
GENERATING = [
    f"POST {path}" for path in ("/chat", "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
]
# Answers come at once, and are short: what is asked for is nobody's to wait for.
ENGINE = "--context-tokens 256 --eos-every 20"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, free_port: FreePort) -> Iterator[str]:
    """A pool of real processes, one for all of these tests."""
    folder = tmp_path_factory.mktemp("pool")
    broker = Broker(folder, free_port())
    broker.start()
    with asyncio.Runner() as runner:
        pool = Pool(broker.url, free_port(), folder, {})
        try:
            pool.add_worker(slots=16, step_ms=0, engine_args=ENGINE)
            runner.run(pool.ready(1))
            yield pool.url
        finally:
            runner.run(pool.close())
            broker.kill()


@pytest.mark.parametrize("call", calls())
def test_what_is_asked_well_is_answered_as_it_is_told(url: str, call: str) -> None:
    """Never a 5xx; status, content type, headers and every field, of streams too, are the document's."""
    ask_well(url, call, examples=FEW)


@pytest.mark.parametrize("call", calls(with_body=True))
def test_what_is_asked_badly_is_refused_as_it_is_told(url: str, call: str) -> None:
    """A body that the document forbids never gets through: what it says of bounds is what is held."""
    ask_badly(url, call, examples=FEW)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("call", GENERATING)
def test_some_of_that_is_really_answered(url: str, call: str, *, stream: bool) -> None:
    """Were all of it refused, the document would be right about nothing but refusals."""
    assert ask_well(url, call, stream=stream, examples=FEW)[200] > 0


@pytest.mark.parametrize(
    ("call", "schema", "field"),
    [
        ("POST /chat", "pool.ChatDone", "usage"),  # a line
        ("POST /v1/chat/completions", "openai.ChatChunk", "created"),  # an event
        ("POST /v1/responses", "responses.TextMore", "item_id"),
        ("GET /v1/models", "openai.Model", "owned_by"),
    ],
)
def test_a_document_that_forgets_a_field_is_found_out(url: str, call: str, schema: str, field: str) -> None:
    """The tests above look into lines, events and objects."""
    told = document()
    forgetting = told["components"]["schemas"][schema]
    del forgetting["properties"][field]
    forgetting["required"].remove(field)

    with pytest.raises((AssertionError, FailureGroup)):
        ask_well(url, call, stream=True, examples=FEW, told=told)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_tool_itself_finds_nothing(url: str, tmp_path: Path) -> None:
    """Every bound from both sides, random requests, chains of calls; what is forbidden is refused."""
    words = ["run", f"{url}/openapi.json", "--phases", "coverage,fuzzing,stateful", "--max-examples", str(MANY)]
    words += ["--exclude-checks", "positive_data_acceptance,ignored_auth", "--request-timeout", "20"]
    words += ["--generation-deterministic", "--continue-on-failure", "--no-color"]
    tool = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]

    run = subprocess.run([*tool, *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
