"""The page's calls, as `/openapi.json` tells of them. The routes are in `surface`."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from gateway.openapi.errors import BODY
from gateway.openapi.operation import EVENTS, PLAIN, Answer, Body, Content, Operation, Parameter, Sse, Surface
from gateway.openapi.parameters import in_path
from gateway.told import ErrorAnswer
from shared.errors import Code
from shared.life import Life

from .letters import Decided, LetterList, LetterName
from .now import Greeting, PoolNow

HTML = "text/html"
_NAME = Parameter(
    name="name",
    place="path",
    kind=Annotated[str, Meta(pattern=r"^[a-z]+\.[a-z]+$")],
    note="The file, as the page has it.",
)
_PAGE = "The page, in a browser."
_FILES = (HTML, "text/css", "text/javascript", "image/svg+xml", PLAIN)
_SAME = Answer(status=304, note="The browser's copy is still right.")


def _json(kind: type, note: str) -> Answer:
    return Answer(note=note, contents=[Content(kinds=[kind])])


def _decision(deed: str, summary: str, *, codes: Sequence[Code] = ()) -> Operation:
    return Operation(
        method="post",
        path=f"/pool/dead/{deed}",
        name=f"{deed}DeadLetter",
        summary=summary,
        body=Body(kind=LetterName, null_is_absent=True),
        answers=[_json(Decided, "It is decided.")],
        codes=[*BODY, "key_not_allowed", "model_not_found", *codes],
    )


FILES = (
    Operation(
        method="get",
        path="/",
        name="readIndex",
        summary="The page, for people; the routes, for whoever asks for no HTML.",
        answers=[Answer(note=_PAGE, contents=[Content(media=PLAIN), Content(media=HTML)]), _SAME],
        is_open=True,
    ),
    Operation(
        method="get",
        path="/page/{name}",
        name="readPageFile",
        summary="A file of the page.",
        parameters=[_NAME],
        answers=[Answer(note="It.", contents=[Content(media=media) for media in _FILES]), _SAME],
        codes=["not_found"],
        is_open=True,
    ),
)

CALLS = (
    Operation(
        method="get",
        path="/pool/events",
        name="followPool",
        summary="Workers, models and queues, once a second.",
        note="`event: hello` with the last minutes, then `event: now` until the client leaves or the gateway ends.",
        answers=[
            Answer(
                note="The pool's state.",
                contents=[Content(media=EVENTS, kinds=[Greeting, PoolNow], sse=Sse(has_name=True))],
            )
        ],
    ),
    Operation(
        method="get",
        path="/pool/jobs/{id}",
        name="readJobsLife",
        summary="What befell a job, and where.",
        note="A direct job's too, for operators, who see every tenant's; nothing of prompt or answer.",
        parameters=[in_path("id", "The job's id, or the client's own for it.")],
        answers=[_json(Life, "Its life so far.")],
        codes=["job_not_found"],
    ),
    Operation(
        method="get",
        path="/pool/dead",
        name="listDeadLetters",
        summary="The newest dead letters of every queue, for operators.",
        answers=[_json(LetterList, "Newest first.")],
        codes=["key_not_allowed"],
    ),
    _decision(
        "retry",
        "Run a dead letter again, as a new job of class `lo`.",
        codes=("not_found", "queue_full", "too_many_jobs"),
    ),
    _decision("drop", "Forget a dead letter."),
)

PAGE = Surface(
    name="page",
    note="What the page for people is, and what it asks for.",
    envelope=ErrorAnswer,
    operations=[*FILES, *CALLS],
)
