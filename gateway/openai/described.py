"""The calls of OpenAI's API, as `/openapi.json` tells of them; the routes are in `surface` and `gateway.models`."""

from collections.abc import Sequence
from typing import Any

from gateway.openapi.errors import BODY, WORK
from gateway.openapi.headers import RATE_LIMITS
from gateway.openapi.operation import EVENTS, Answer, Body, Content, Operation, Sse, Surface
from gateway.openapi.parameters import OF_WORK, QUEUED, in_path
from gateway.told import ErrorAnswer
from shared.errors import Code
from shared.event import TokenLogprob

from .chat_request import ChatRequest
from .fields import CHAT, TEXT, Fields
from .models import Model, ModelList
from .text_request import TextRequest
from .told import ChatChunk, TextChunk
from .whole import ChatCompletion, TextCompletion

ANSWER_HEADERS = ("x-job-id", "x-mlx-pool-ignored", *RATE_LIMITS)
_CODES: Sequence[Code] = (*BODY, *WORK, "job_cancelled")


def body_of(kind: Any, fields: Fields) -> Body:
    """A request's body, with what the table of fields says of each."""
    fates = {fate: {name: told.note for name, told in fields.items() if told.fate == fate} for fate in _FATES}
    return Body(
        kind=kind,
        notes={name: note for name, note in fates["supported"].items() if note},
        hints=fates["hint"],
        refused=fates["refused"],
        null_is_absent=True,
    )


_FATES = ("supported", "hint", "refused")


def _answers(whole: Any, chunk: Any) -> Answer:
    stream = Content(media=EVENTS, kinds=[chunk, ErrorAnswer], sse=Sse(last="[DONE]"))
    return Answer(
        note="The answer; with `stream` it comes in chunks.",
        contents=[Content(kinds=[whole]), stream],
        headers=ANSWER_HEADERS,
    )


OPENAI = Surface(
    name="openai",
    note="OpenAI's chat completions, completions and models: clients work by changing the base URL.",
    envelope=ErrorAnswer,
    also=[TokenLogprob],
    operations=[
        Operation(
            method="post",
            path="/v1/chat/completions",
            name="createChatCompletion",
            summary="Answer a conversation.",
            parameters=[QUEUED, *OF_WORK],
            body=body_of(ChatRequest, CHAT),
            answers=[_answers(ChatCompletion, ChatChunk)],
            codes=_CODES,
        ),
        Operation(
            method="post",
            path="/v1/completions",
            name="createCompletion",
            summary="Go on with texts.",
            parameters=[QUEUED, *OF_WORK],
            body=body_of(TextRequest, TEXT),
            answers=[_answers(TextCompletion, TextChunk)],
            codes=_CODES,
        ),
        Operation(
            method="get",
            path="/v1/models",
            name="listModels",
            summary="The models that may be asked for, aliases last.",
            answers=[Answer(note="All of them.", contents=[Content(kinds=[ModelList])])],
        ),
        Operation(
            method="get",
            path="/v1/models/{id}",
            name="readModel",
            summary="A model, under the name that is asked for.",
            parameters=[in_path("id", "A served model or an alias; it may hold slashes.")],
            answers=[Answer(note="It may be asked for.", contents=[Content(kinds=[Model])])],
            codes=["model_not_found"],
        ),
    ],
)
