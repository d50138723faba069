"""The pool's own calls, as `/openapi.json` tells of them. The routes are in `app`."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from shared.event import TokenLogprob
from shared.job import Job

from .health import Health
from .metrics.pool import Summary
from .openapi.errors import BODY, WORK
from .openapi.headers import RATE_LIMITS
from .openapi.operation import EVENTS, JSON, LINES, PLAIN, Answer, Body, Content, Operation, Parameter, Sse, Surface
from .openapi.parameters import OF_WORK, QUEUED, in_path, in_query
from .pool import PoolView
from .told import Accepted, Alive, Cancelling, ChatEvent, ErrorAnswer, WholeAnswer

_ID = in_path("id", "The job's id, or the client's own for it.")
_MARK = Annotated[str, Meta(pattern=r"^\s*[0-9]{1,15}(-[0-9]{1,15}-[0-9a-f]{8})?\s*$")]
_STREAM = (
    Content(media=LINES, kinds=[ChatEvent]),
    Content(media=EVENTS, kinds=[ChatEvent], sse=Sse(has_id=True)),
    Content(media=PLAIN),
)
_JOB_HEADERS = ("x-job-id",)
_HEARD_OF_JOB = (*WORK, "job_not_found", "job_cancelled")


def _json(kind: Any, note: str, *, status: int = 200, headers: tuple[str, ...] = ()) -> Answer:
    return Answer(status=status, note=note, contents=[Content(kinds=[kind])], headers=headers)


def _stream(note: str, *, headers: tuple[str, ...] = _JOB_HEADERS) -> Answer:
    contents = [*_STREAM, Content(media=JSON, kinds=[WholeAnswer])]
    return Answer(note=note, contents=contents, headers=headers)


_NOTHING = Answer(status=204, note="The client had all of it.", headers=_JOB_HEADERS)

CHAT = (
    Operation(
        method="post",
        path="/chat",
        name="submitJob",
        summary="Submit a job, and follow it.",
        note="By `Accept` the stream is NDJSON (the default), server-sent events or the bare text.",
        parameters=[QUEUED, *OF_WORK],
        body=Body(kind=Job),
        answers=[
            _stream(
                "The job's events as they come; with `stream` false one object.", headers=(*_JOB_HEADERS, *RATE_LIMITS)
            ),
            _json(
                Accepted,
                "With `background` and `stream` false: the job runs, whoever listens.",
                status=202,
                headers=("location", *_JOB_HEADERS, *RATE_LIMITS),
            ),
        ],
        codes=[*BODY, *WORK],
    ),
    Operation(
        method="get",
        path="/chat/{id}",
        name="followJob",
        summary="Follow a job again.",
        parameters=[
            _ID,
            in_query("after", _MARK, "Begin behind this event: its `seq`, or its `id:`."),
            Parameter(
                name="Last-Event-ID", place="header", kind=_MARK, note="The same, as browsers say it; it goes first."
            ),
            in_query("stream", bool, "`false`: the whole answer as one object, once the job has ended."),
            QUEUED,
        ],
        answers=[_stream("The job's events, those that are there at once."), _NOTHING],
        codes=_HEARD_OF_JOB,
    ),
    Operation(
        method="delete",
        path="/chat/{id}",
        name="cancelJob",
        summary="Cancel a job; asking again changes nothing.",
        parameters=[_ID],
        answers=[_json(Cancelling, "What became of it.", headers=_JOB_HEADERS)],
        codes=["job_not_found"],
    ),
)

VIEWS = (
    Operation(
        method="get",
        path="/pool",
        name="readPool",
        summary="Workers, models and queues.",
        answers=[_json(PoolView, "As they are now.")],
    ),
    Operation(
        method="get",
        path="/metrics",
        name="readMetrics",
        summary="Figures in Prometheus's format.",
        note="For `Accept: application/json` a summary of the pool.",
        parameters=[in_query("scope", Literal["pool"], "All workers' figures instead of this process's.")],
        answers=[Answer(note="The figures.", contents=[Content(media=PLAIN), Content(media=JSON, kinds=[Summary])])],
    ),
    Operation(
        method="get",
        path="/health",
        name="readHealth",
        summary="Whether a token would come.",
        answers=[_json(Health, "Redis answers, and a worker is ready, or loads its model when a job asks for it.")],
        codes=["no_worker"],
    ),
    Operation(
        method="get",
        path="/health/live",
        name="readLiveness",
        summary="Whether this process answers.",
        answers=[_json(Alive, "It does.")],
        is_open=True,
    ),
    Operation(
        method="get",
        path="/openapi.json",
        name="readDocument",
        summary="This document.",
        answers=[_json(dict[str, Any], "OpenAPI 3.1.")],
    ),
)

POOL = Surface(
    name="pool",
    note="The pool's own API: jobs and their events, and what there is to know of the pool.",
    envelope=ErrorAnswer,
    operations=[*CHAT, *VIEWS],
    also=[TokenLogprob],
)
