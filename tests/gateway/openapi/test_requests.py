"""What the document says of requests: field for field what their readers do."""

import msgspec
import pytest

from gateway.anthropic.request import REFUSED, Asked, Prompted
from gateway.bulk.batches import FIELDS as BATCHES
from gateway.openai.fields import CHAT, TEXT, Fields
from gateway.responses.fields import RESPONSES
from shared.errors import Refused
from shared.job import Job, parse_job
from tests.documents import Object, errors_in
from tests.gateway.conftest import Serving
from tests.gateway.hand import refusal
from tests.gateway.openai.sdk import STOP, answered

from .conftest import Document

TABLES = pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("openai.ChatRequest", CHAT),
        ("openai.TextRequest", TEXT),
        ("responses.ResponseRequest", RESPONSES),
        ("bulk.BatchRequest", BATCHES),
    ],
)


@TABLES
def test_a_body_has_the_fields_of_its_table(document: Document, name: str, fields: Fields) -> None:
    """docs/compatibility.md is drawn from the same table, and its tests hold that to the code."""
    properties: Object = document.schemas[name]["properties"]

    assert set(properties) == set(fields)
    assert {field for field, told in properties.items() if told.get("type") == "null"} == {
        field for field, (fate, _) in fields.items() if fate == "refused"
    }


@TABLES
def test_null_is_as_good_as_absent(document: Document, name: str, fields: Fields) -> None:
    """Clients fill in what they don't use; a tool that checks what it sends must let them."""
    nulls = dict.fromkeys(fields)
    schema = document.schemas[name]
    wrong = errors_in(nulls, schema, document.components)

    assert {error.partition(":")[0] for error in wrong} == {f"$.{field}" for field in schema["required"]}


@pytest.mark.parametrize(("name", "kind"), [("Asked", Asked), ("Prompted", Prompted)])
def test_a_message_has_the_fields_of_its_struct(document: Document, name: str, kind: type[msgspec.Struct]) -> None:
    """And those that are refused; docs/compatibility.md is held to the same two."""
    assert set(document.schemas[f"anthropic.{name}"]["properties"]) == {*kind.__struct_fields__, *REFUSED}


@pytest.mark.parametrize("field", [{"colour": 1}, {"max_tokens": 0}, {"stop": [""]}, {"messages": []}, {"class": "x"}])
def test_a_job_is_refused_by_both_for_the_same(document: Document, field: Object) -> None:
    """What the schema forbids, the parser refuses: unknown fields and every bound."""
    body = {"prompt": "x"} | field

    assert errors_in(body, document.schemas["pool.Job"], document.components)
    with pytest.raises(Refused):
        parse_job(msgspec.json.encode(body))


def test_a_job_has_all_fields_of_its_struct(document: Document) -> None:
    """By the names that stand in JSON."""
    assert set(document.schemas["pool.Job"]["properties"]) == {
        field.encode_name for field in msgspec.structs.fields(Job)
    }


async def test_a_refused_field_is_one_to_both(serving: Serving, document: Document) -> None:
    """The gateway says 400 where the schema knows but null."""
    body: Object = {"messages": [{"role": "user", "content": "x"}]}
    refused: Object = body | {"functions": []}
    schema = document.schemas["openai.ChatRequest"]
    async with serving() as served:
        post = served.http.post
        answer = await post("/v1/chat/completions", json=refused)
        taken, _ = await answered(served, post("/v1/chat/completions", json=body | {"functions": None}), STOP)

        assert refusal(answer) == (400, "unsupported", "functions")
        assert taken.status_code == 200
        assert errors_in(refused, schema, document.components)
        assert not errors_in(body | {"functions": None}, schema, document.components)
