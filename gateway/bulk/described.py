"""The calls for bulk work, as `/openapi.json` tells of them. The routes are in `surface`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gateway.openai.described import body_of
from gateway.openapi.errors import BODY
from gateway.openapi.operation import BYTES, Answer, Body, Content, Operation, Surface
from gateway.openapi.parameters import Text, in_path, in_query
from gateway.told import ErrorAnswer
from shared.errors import Code

from .batches import FIELDS, BatchRequest
from .line import LineRequest
from .result import ResultLine
from .told import BatchObject, FileObject, Page
from .upload import HOUR_MS, MAX_LIFE_MS

_FILE = in_path("id", "The file's id.")
_BATCH = in_path("id", "The batch's id.")
_LIMIT = in_query("limit", Annotated[int, Meta(ge=1, lt=100_000)], "How many; a page has at most 100.")
_AFTER = in_query("after", Text, "Begin behind this one.")
_FORM: Sequence[Code] = ("missing_field", "unsupported", "wrong_content_type", "body_too_large")
_SECONDS = Annotated[int, Meta(ge=HOUR_MS // 1_000, le=MAX_LIFE_MS // 1_000)]


class UploadForm(msgspec.Struct, frozen=True, kw_only=True, rename={"expires_after": "expires_after[seconds]"}):
    """A file, at most 64 MB: a request a line, as `LineRequest`."""

    file: Annotated[str, Meta(extra_json_schema={"format": "binary", "minLength": 1})]
    purpose: Literal["batch"]
    expires_after: _SECONDS | UnsetType = UNSET


class DeletedFile(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="file"):
    """It is gone."""

    id: str
    deleted: Literal[True]


def _json(kind: Any, note: str, *, headers: Sequence[str] = ()) -> Answer:
    return Answer(note=note, contents=[Content(kinds=[kind])], headers=headers)


FILES = (
    Operation(
        method="post",
        path="/v1/files",
        name="uploadFile",
        summary="Keep a file for batches: two days, or as long as is said.",
        body=Body(kind=UploadForm, media="multipart/form-data"),
        answers=[_json(FileObject, "It is kept.")],
        codes=_FORM,
    ),
    Operation(
        method="get",
        path="/v1/files",
        name="listFiles",
        summary="The uploads that are kept.",
        parameters=[_LIMIT, _AFTER, in_query("order", Literal["asc", "desc"], "The newest first by default.")],
        answers=[_json(Page, "A page of them.")],
    ),
    Operation(
        method="get",
        path="/v1/files/{id}",
        name="readFile",
        summary="A file, uploaded or what a batch gave.",
        parameters=[_FILE],
        answers=[_json(FileObject, "There it is.")],
        codes=["not_found"],
    ),
    Operation(
        method="delete",
        path="/v1/files/{id}",
        name="deleteFile",
        summary="Let a file go.",
        parameters=[_FILE],
        answers=[_json(DeletedFile, "It is gone.")],
        codes=["not_found"],
    ),
    Operation(
        method="get",
        path="/v1/files/{id}/content",
        name="readContent",
        summary="A file's bytes; of what a batch gave, each line is a `ResultLine`.",
        parameters=[_FILE],
        answers=[Answer(note="All of them.", contents=[Content(media=BYTES)])],
        codes=["not_found"],
    ),
)

BATCHES = (
    Operation(
        method="post",
        path="/v1/batches",
        name="createBatch",
        summary="Run a file's requests when there is time.",
        body=body_of(BatchRequest, FIELDS),
        answers=[_json(BatchObject, "It will be run.", headers=["x-mlx-pool-ignored"])],
        codes=[*BODY, "too_many_jobs"],
    ),
    Operation(
        method="get",
        path="/v1/batches",
        name="listBatches",
        summary="The batches that are known.",
        parameters=[_LIMIT, _AFTER],
        answers=[_json(Page, "A page of them.")],
    ),
    Operation(
        method="get",
        path="/v1/batches/{id}",
        name="readBatch",
        summary="A batch as it stands.",
        parameters=[_BATCH],
        answers=[_json(BatchObject, "There it is.")],
        codes=["not_found"],
    ),
    Operation(
        method="post",
        path="/v1/batches/{id}/cancel",
        name="cancelBatch",
        summary="Cancel a batch; what has its result keeps it.",
        parameters=[_BATCH],
        answers=[_json(BatchObject, "It runs nothing more.")],
        codes=["not_found"],
    ),
)

BULK = Surface(
    name="bulk",
    note="OpenAI's Batch API: files of requests, run in class `lo`.",
    envelope=ErrorAnswer,
    operations=[*FILES, *BATCHES],
    also=[LineRequest, ResultLine],
)
