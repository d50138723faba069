"""Requests out of the document, sent to a gateway: good ones that a scripted engine can answer, and bad ones."""

import copy
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, CheckContext, GenerationMode, Response, checks
from schemathesis.specs.openapi import checks as of_openapi

from gateway.openapi.document import document_object
from tests.documents import Object, closed, errors_in, reached
from tests.pool import MODEL

WITHIN_S = 20.0
# Making a request takes long, and some are large.
_PATIENT = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
_UNANSWERABLE = {
    *("tools", "tool_choice", "response_format", "grammar", "text", "output_config", "output_format"),  # by a script
    *("truncation", "suffix", "best_of", "tokens", "min_tokens", "echo", "previous_response_id"),  # beside others
}
_TURN: Object = {
    "type": "object",
    "properties": {"role": {"enum": ["user"]}, "content": {"type": "string"}},
    "required": ["role", "content"],
    "additionalProperties": False,
}
_ANSWERABLE: Object = {
    "model": {"enum": [MODEL]},
    "timeout_ms": {"type": "integer", "minimum": 60_000, "maximum": 3_600_000},
    "messages": {"type": "array", "items": _TURN, "minItems": 1, "maxItems": 4},
}
# A key that is used again is a 422; a place with a checksum that nobody made is one in a stream that Redis lost.
_KEPT_OUT = {"Idempotency-Key", "after", "Last-Event-ID"}
_ENDLESS = {"GET /pool/events"}  # tests/gateway/page has it


def document() -> Object:
    """The gateway's document; an answer may have no field that it does not tell of."""
    told = copy.deepcopy(document_object(has_lock=False))
    taken = reached([operation.get("requestBody") for _, operation in _operations(told)], told["components"])
    return told | {"components": closed(told["components"], but=taken)}


def calls(*, with_body: bool = False) -> list[str]:
    """All calls, as `POST /chat`."""
    return [
        name
        for name, told in _operations(document_object(has_lock=False))
        if name not in _ENDLESS and ("requestBody" in told or not with_body)
    ]


def ask_well(
    url: str, call: str, *, examples: int, stream: bool | None = None, told: Object | None = None
) -> Counter[int]:
    """Send requests that the document allows; whatever is answered, the document tells of. How often each status came.

    Most of them can be answered: they are for a model that is served, in time, and for things that are there.
    `stream` says whether to ask for streams; else chance does.
    """
    told, ids = told or document(), things_on(url) if "{id}" in call or call == "POST /v1/batches" else {}
    for name, operation in _operations(told):
        parameters = [each for each in operation.get("parameters", ()) if each["name"] not in _KEPT_OUT]
        operation["parameters"] = [_of_a_thing(each, name, ids) for each in parameters]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = told["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            _narrow(schema, _ANSWERABLE | {"input_file_id": {"enum": [ids.get("/v1/files"), "none"]}})
            if stream is not None and "stream" in schema["properties"]:
                schema["properties"]["stream"] = {"enum": [stream]}
                schema["required"].append("stream")
    return _ask(url, told, call, GenerationMode.POSITIVE, held_to=_CONFORMS, examples=examples)


def ask_badly(url: str, call: str, *, examples: int) -> Counter[int]:
    """Send bodies that the document forbids; each is refused, as it is told. How often each status came."""
    told = document()
    for _, operation in _operations(told):
        # Of strange parameters nobody takes notice, so what is wrong is to be in the body.
        operation["parameters"] = [each for each in operation.get("parameters", ()) if each["in"] == "path"]
    held_to: list[Any] = [*_CONFORMS, of_openapi.negative_data_rejection]
    return _ask(url, told, call, GenerationMode.NEGATIVE, held_to=held_to, examples=examples)


def _ask(url: str, told: Object, call: str, mode: GenerationMode, *, held_to: list[Any], examples: int) -> Counter[int]:
    schema = schemathesis.openapi.from_dict(told)
    schema.config.update(base_url=url)
    method, path = call.split(" ")
    statuses = Counter[int]()
    operation = cast("Any", schema[path][method])  # not fully typed

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=_PATIENT)
    @given(case=operation.as_strategy(generation_mode=mode))
    def conforms(case: Case[Any]) -> None:
        # Within a time, so that an answer that never ends is found.
        response = case.call(timeout=WITHIN_S)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=held_to)

    conforms()
    return statuses


def lines_conform(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """Each line of a stream of lines is what the document says."""
    if response.headers.get("content-type") == ["application/x-ndjson"]:
        told: Object = case.operation.schema.raw_schema
        answers = told["paths"][case.path][case.method.lower()]["responses"]
        schema = answers[str(response.status_code)]["content"]["application/x-ndjson"]["schema"]
        lines = [json.loads(line) for line in response.content.decode().split("\n") if line]
        assert [errors_in(line, schema, told["components"]) for line in lines] == [[]] * len(lines)


_CONFORMS: list[Any] = [
    *(checks.not_a_server_error, of_openapi.status_code_conformance, of_openapi.content_type_conformance),
    *(of_openapi.response_headers_conformance, of_openapi.response_schema_conformance, lines_conform),
]


def things_on(url: str) -> dict[str, str]:
    """Make a job, a response, a file and a batch; their ids, by the paths that they stand in."""
    with httpx.Client(base_url=url, timeout=WITHIN_S) as http:
        later = {"background": True, "stream": False}
        job = http.post("/chat", json={"prompt": "x", "max_tokens": 4} | later)
        response = http.post("/v1/responses", json={"input": "x", "max_output_tokens": 4} | later)
        file = http.post("/v1/files", files={"file": ("in.jsonl", b"{}\n")}, data={"purpose": "batch"})
        asked = {"input_file_id": file.json()["id"], "endpoint": "/v1/chat/completions"}
        batch = http.post("/v1/batches", json=asked)
        paths = {"/chat": job, "/pool/jobs": job, "/v1/responses": response, "/v1/files": file, "/v1/batches": batch}
        return {path: answer.json()["id"] for path, answer in paths.items()} | {"/v1/models": MODEL}


def _of_a_thing(parameter: Object, call: str, ids: dict[str, str]) -> Object:
    known = [each for path, each in ids.items() if call.partition(" ")[2].startswith(f"{path}/{{id}}")]
    return parameter | {"schema": {"enum": [*known, "none"]}} if known and parameter["in"] == "path" else parameter


def _narrow(schema: Object, answerable: Object) -> None:
    properties: Object = schema["properties"]
    for name in _UNANSWERABLE & set(properties):
        del properties[name]
    properties |= {name: told for name, told in answerable.items() if name in properties}
    if {"prompt", "messages"} <= set(properties):  # exactly one of them
        del properties["prompt"]
        schema["required"] = ["messages"]


def _operations(told: Object) -> Iterator[tuple[str, Object]]:
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation
