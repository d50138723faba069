"""The calls of Anthropic's API, as `/openapi.json` tells of them; the routes are in `messages` and `gateway.models`."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from gateway.openapi.errors import BODY, WORK
from gateway.openapi.headers import RATE_LIMITS
from gateway.openapi.operation import EVENTS, Answer, Body, Content, Operation, Sse, Surface
from gateway.openapi.parameters import OF_WORK, QUEUED, Text, in_path, in_query
from shared.errors import Code

from .models import MAX_PAGE, ModelInfo, ModelPage
from .request import REFUSED, Asked, Prompted
from .told import ErrorAnswer, Message, MessageEvent, TokenCount

_CODES: Sequence[Code] = (*BODY, *WORK, "job_cancelled")
_HEADERS = ("x-job-id", "x-mlx-pool-ignored", *RATE_LIMITS)


def _body(kind: Any) -> Body:
    return Body(kind=kind, refused=REFUSED, null_is_absent=True)


ANTHROPIC = Surface(
    name="anthropic",
    note="Anthropic's messages: clients work by changing the base URL. Who sends `anthropic-version` is told of models "
    "in this API's words.",
    envelope=ErrorAnswer,
    headers=["request-id"],
    operations=[
        Operation(
            method="post",
            path="/v1/messages",
            name="createMessage",
            summary="Answer a conversation.",
            parameters=[QUEUED, *OF_WORK],
            body=_body(Asked),
            answers=[
                Answer(
                    note="The message; with `stream` it comes in events.",
                    contents=[
                        Content(kinds=[Message]),
                        Content(media=EVENTS, kinds=[MessageEvent], sse=Sse(has_name=True)),
                    ],
                    headers=_HEADERS,
                )
            ],
            codes=_CODES,
        ),
        Operation(
            method="post",
            path="/v1/messages/count_tokens",
            name="countTokens",
            summary="Count the tokens that a conversation has as a prompt.",
            parameters=OF_WORK,
            body=_body(Prompted),
            answers=[Answer(note="The count.", contents=[Content(kinds=[TokenCount])], headers=_HEADERS)],
            codes=_CODES,
        ),
        Operation(
            method="get",
            path="/v1/models",
            name="listModels",
            summary="The models that may be asked for, aliases last.",
            parameters=[
                in_query("limit", Annotated[int, Meta(ge=1, le=MAX_PAGE)], "How many; for Anthropic's clients."),
                in_query("after_id", Text, "Begin behind this one; for Anthropic's clients."),
                in_query("before_id", Text, "End before this one; for Anthropic's clients."),
            ],
            answers=[Answer(note="A page of them.", contents=[Content(kinds=[ModelPage])])],
        ),
        Operation(
            method="get",
            path="/v1/models/{id}",
            name="readModel",
            summary="A model, under the name that is asked for.",
            parameters=[in_path("id", "A served model or an alias; it may hold slashes.")],
            answers=[Answer(note="It may be asked for.", contents=[Content(kinds=[ModelInfo])])],
            codes=["model_not_found"],
        ),
    ],
)
