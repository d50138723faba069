"""The calls of OpenAI's Responses API, as `/openapi.json` tells of them. The routes are in `surface`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from gateway.openai.described import ANSWER_HEADERS, body_of
from gateway.openapi.errors import BODY, WORK
from gateway.openapi.operation import EVENTS, Answer, Content, Operation, Sse, Surface
from gateway.openapi.parameters import OF_WORK, QUEUED, Text, in_path, in_query
from gateway.told import ErrorAnswer
from shared.errors import Code
from shared.event import TokenLogprob

from .fields import RESPONSES
from .input_list import MAX_PAGE, InputList
from .request import ResponseRequest
from .response import Response
from .surface import ROUTE
from .told import DeletedResponse, ResponseEvent

_ONE = f"{ROUTE}/{{id}}"
_ID = in_path("id", "The response's id, as `resp_…`.")
_CODES: Sequence[Code] = (*BODY, *WORK, "job_cancelled", "previous_response_not_found")
_LOST: Sequence[Code] = ("job_not_found", "stream_lost")
_STREAM = Content(media=EVENTS, kinds=[ResponseEvent], sse=Sse(has_name=True))


def _json(kind: Any, note: str) -> Answer:
    return Answer(note=note, contents=[Content(kinds=[kind])])


def _streamed(note: str, headers: Sequence[str]) -> Answer:
    return Answer(note=note, contents=[Content(kinds=[Response]), _STREAM], headers=headers)


RESPONSES_API = Surface(
    name="responses",
    note="OpenAI's Responses: what is stored can be read, followed, cancelled and gone on from.",
    envelope=ErrorAnswer,
    also=[TokenLogprob],
    operations=[
        Operation(
            method="post",
            path=ROUTE,
            name="createResponse",
            summary="Answer a conversation.",
            parameters=[QUEUED, *OF_WORK],
            body=body_of(ResponseRequest, RESPONSES),
            answers=[_streamed("The response; with `stream` it comes in events.", ANSWER_HEADERS)],
            codes=_CODES,
        ),
        Operation(
            method="get",
            path=_ONE,
            name="readResponse",
            summary="Read a response as it is now, or follow it.",
            parameters=[
                _ID,
                in_query("stream", bool, "`true`: its events from the first, and on while it runs."),
                in_query("starting_after", Annotated[int, Meta(ge=0, lt=10**15)], "Those behind this number."),
                QUEUED,
            ],
            answers=[_streamed("The response, or its events.", ["x-job-id"])],
            codes=[*_LOST, "stream_diverged"],
        ),
        Operation(
            method="delete",
            path=_ONE,
            name="deleteResponse",
            summary="Forget a response with its job, at once; one that runs is cancelled.",
            parameters=[_ID],
            answers=[_json(DeletedResponse, "It is gone.")],
            codes=["job_not_found"],
        ),
        Operation(
            method="post",
            path=f"{_ONE}/cancel",
            name="cancelResponse",
            summary="Cancel a response; of one that has ended nothing changes.",
            parameters=[_ID],
            answers=[_json(Response, "How it ended.")],
            codes=_LOST,
        ),
        Operation(
            method="get",
            path=f"{_ONE}/input_items",
            name="listInputItems",
            summary="The conversation that a response answers.",
            parameters=[
                _ID,
                in_query("limit", Annotated[int, Meta(ge=1, le=MAX_PAGE)], "How many."),
                in_query("order", Literal["asc", "desc"], "The newest first by default."),
                in_query("after", Text, "Begin behind this item."),
            ],
            answers=[_json(InputList, "A page of it.")],
            codes=["job_not_found"],
        ),
    ],
)
