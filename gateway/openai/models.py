"""The models as OpenAI's clients list them: those that are served, and the aliases that lead to one."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.aliases import Aliases, meant_by, names_of
from gateway.caller import caller_of
from gateway.surveys import Surveys
from shared.errors import Refused


class Model(msgspec.Struct, frozen=True, tag_field="object", tag="model"):
    """A model. Nobody knows when it was made."""

    id: str
    created: int = 0
    owned_by: str = "mlx-pool"


class ModelList(msgspec.Struct, frozen=True, tag_field="object", tag="list"):
    """All of them."""

    data: list[Model]


class Models:
    """Tells which names may be asked for."""

    def __init__(self, surveys: Surveys, aliases: Aliases) -> None:
        self._surveys = surveys
        self._aliases = aliases

    async def all(self, request: Request) -> Response:
        """List them, aliases last."""
        served = await self._served(request)
        return _json(ModelList([Model(name) for name in names_of(served, self._aliases)]))

    async def one(self, request: Request) -> Response:
        """Tell of one, under the name that was asked for."""
        asked, served = request.path_params["id"], await self._served(request)
        if meant_by(asked, served, self._aliases) not in served:
            told = ", ".join(names_of(served, self._aliases))
            raise Refused("model_not_found", f"{asked!r} is not served here; served: {told}.", param="model")
        return _json(Model(asked))

    async def _served(self, request: Request) -> list[str]:
        """The models that this caller may use: to it there are no others."""
        caller = caller_of(request.scope)
        return [model for model in await self._surveys.models() if caller.may_use(model)]


def _json(told: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(told), media_type="application/json")
