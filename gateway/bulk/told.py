"""Files and batches as OpenAI's clients see them."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from shared.bulk import KEPT_MS, Batch, Problem
from shared.bulk_file import BulkFile

from .names import batch_name, file_name


class FileObject(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="file"):
    """A file."""

    id: str
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: Literal["batch", "batch_output"]
    status: Literal["processed"] = "processed"


class RequestCounts(msgspec.Struct, frozen=True):
    """How many lines a batch has, and of how many there is a result."""

    total: int
    completed: int
    failed: int


class Problems(msgspec.Struct, frozen=True, tag_field="object", tag="list"):
    """Why a batch failed."""

    data: Sequence[Problem]


class BatchObject(msgspec.Struct, frozen=True, kw_only=True, tag_field="object", tag="batch"):
    """A batch."""

    id: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: str
    errors: Problems | None = None
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    expires_at: int
    in_progress_at: int | None
    cancelling_at: int | None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelled_at: int | None = None
    request_counts: RequestCounts
    metadata: dict[str, str]


class Page(msgspec.Struct, frozen=True, tag_field="object", tag="list"):
    """Some of a list."""

    data: Sequence[FileObject | BatchObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


def upload_object(file: BulkFile) -> FileObject:
    """A file that somebody uploaded."""
    return FileObject(
        id=file_name(file.tag),
        bytes=file.bytes,
        created_at=file.created // 1_000,
        expires_at=file.expires // 1_000,
        filename=file.name,
        purpose="batch",
    )


def result_object(batch: Batch, part: Literal["output", "errors"]) -> FileObject:
    """A file that a batch gave."""
    return FileObject(
        id=file_name(batch.tag, part),
        bytes=batch.output_bytes if part == "output" else batch.errors_bytes,
        created_at=(batch.ended or batch.created) // 1_000,
        expires_at=(batch.expires + KEPT_MS) // 1_000,
        filename=f"{batch_name(batch.tag)}_{part}.jsonl",
        purpose="batch_output",
    )


def batch_object(batch: Batch) -> BatchObject:
    """A batch as it stands; its files are told of when they are whole."""
    has_ended = batch.ended is not None
    problems = msgspec.json.decode(batch.problems, type=list[Problem])
    return BatchObject(
        id=batch_name(batch.tag),
        endpoint=batch.endpoint,
        input_file_id=file_name(batch.input),
        completion_window=batch.window,
        status=batch.status,
        errors=Problems(problems) if problems else None,
        output_file_id=file_name(batch.tag, "output") if has_ended and batch.output_bytes else None,
        error_file_id=file_name(batch.tag, "errors") if has_ended and batch.errors_bytes else None,
        created_at=batch.created // 1_000,
        expires_at=batch.expires // 1_000,
        in_progress_at=_seconds(batch.begun),
        cancelling_at=_seconds(batch.cancelled),
        request_counts=RequestCounts(batch.total, batch.completed, batch.failed),
        metadata=msgspec.json.decode(batch.metadata, type=dict[str, str]),
        **({f"{batch.status}_at": _seconds(batch.ended)} if has_ended else {}),
    )


def _seconds(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1_000
