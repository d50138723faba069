"""The calls by which a bare machine joins, as `/openapi.json` tells of them. The routes are in `surface`."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operation import BYTES, PLAIN, Answer, Content, Operation, Parameter, Surface
from gateway.told import ErrorAnswer

_NAME = Parameter(
    name="name",
    place="path",
    kind=Annotated[str, Meta(pattern=r"^mlx_pool-[0-9a-z.+]+-py3-none-any\.whl$")],
    note="The wheel's file name, as the script has it.",
)

JOIN = Surface(
    name="join",
    note="How a machine on which nothing is installed yet becomes one of the pool's.",
    envelope=ErrorAnswer,
    operations=[
        Operation(
            method="get",
            path="/join",
            name="readJoinScript",
            summary="A shell script that installs what is missing, and joins.",
            note="`curl -fsSL …/join | sh -s -- redis://HOST:PORT`; no secret is in it.",
            answers=[Answer(note="The script.", contents=[Content(media=PLAIN)])],
            is_open=True,
        ),
        Operation(
            method="get",
            path="/join/{name}",
            name="readWheel",
            summary="This version's wheel.",
            parameters=[_NAME],
            answers=[Answer(note="It.", contents=[Content(media=BYTES)])],
            codes=["not_found"],
            is_open=True,
        ),
    ],
)
