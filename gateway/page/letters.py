"""`/pool/dead`: the jobs that nobody could run, and an operator's decision on each."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import caller_of
from gateway.client import read_body
from gateway.json_object import fields_given
from shared.connection import Broker
from shared.dead import DeadLetter, DeadLetters
from shared.errors import Refused
from shared.job import refusal_of
from shared.pool import Pool

LETTERS_TOLD = 50  # of each queue, newest first
BODY_TOLD = 4_000  # characters
T = TypeVar("T", bound=msgspec.Struct)


class Letter(DeadLetter, frozen=True, kw_only=True, omit_defaults=False):
    """A dead letter; of a long body only its beginning, `body_bytes` is how long all of it is."""

    model: str
    body_bytes: int


class LetterList(msgspec.Struct, frozen=True):
    """The newest of every queue."""

    letters: list[Letter]


class LetterName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which one."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    letter: Annotated[str, Meta(pattern=r"^[0-9]{1,15}-[0-9]{1,15}$")]


class Decided(msgspec.Struct, frozen=True):
    """What became of it: `job` is the new job's id where it runs again, else empty."""

    letter: str
    job: str = ""


class Letters:
    """The calls, which are for operators only: a letter shows what somebody asked."""

    def __init__(self, broker: Broker, pool: Pool) -> None:
        self._broker = broker
        self._pool = pool

    async def all(self, request: Request) -> Response:
        """Tell of the newest."""
        _check(request)
        letters: list[Letter] = []
        for model in sorted(await self._pool.models()):
            found = await DeadLetters(self._broker, model).newest(LETTERS_TOLD)
            letters += [_letter(model, each) for each in found]
        return _json(LetterList(sorted(letters, key=lambda each: -each.at_ms)))

    async def retry(self, request: Request) -> Response:
        """Run one again, as a new job."""
        name = await self._name(request)
        job_id = await DeadLetters(self._broker, name.model).retry(name.letter)
        return _json(Decided(name.letter, job_id))

    async def drop(self, request: Request) -> Response:
        """Forget one; again changes nothing."""
        name = await self._name(request)
        await DeadLetters(self._broker, name.model).drop(name.letter)
        return _json(Decided(name.letter))

    async def _name(self, request: Request) -> LetterName:
        _check(request)
        name = _read(await read_body(request.headers, request.receive), LetterName)
        if name.model not in await self._pool.models():
            raise Refused("model_not_found", f"There is no queue {name.model}.", param="model")
        return name


def _check(request: Request) -> None:
    if not caller_of(request.scope).may_operate:
        raise Refused("key_not_allowed", "Dead letters are for operators: `mlx-pool keys add --operator`.")


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.convert(fields_given(body), kind)
    except msgspec.ValidationError as error:
        raise refusal_of(error) from error


def _letter(model: str, dead: DeadLetter) -> Letter:
    told = msgspec.structs.asdict(dead)
    told |= {"body": dead.body[:BODY_TOLD], "model": model, "body_bytes": len(dead.body.encode())}
    return msgspec.convert(told, Letter)


def _json(told: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
