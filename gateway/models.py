"""`/v1/models`: the names that may be asked for, in the words of whoever asks.

OpenAI's API and Anthropic's have this route in common, and nothing of its answer.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import Refused

from .aliases import Aliases, meant_by, names_of
from .anthropic.models import model_info, page_of
from .caller import caller_of
from .dialect import MODELS_ROUTE, is_anthropic
from .openai.models import Model, list_of
from .surveys import Surveys


class Models:
    """Tells of the models that are served, and of the aliases that lead to one."""

    def __init__(self, surveys: Surveys, aliases: Aliases) -> None:
        self._surveys = surveys
        self._aliases = aliases

    async def all(self, request: Request) -> Response:
        """List them, aliases last."""
        names = names_of(await self._served(request), self._aliases)
        return _json(page_of(names, request.query_params) if is_anthropic(request.scope) else list_of(names))

    async def one(self, request: Request) -> Response:
        """Tell of one, under the name that was asked for."""
        asked, served = request.path_params["id"], await self._served(request)
        if meant_by(asked, served, self._aliases) not in served:
            told = ", ".join(names_of(served, self._aliases))
            raise Refused("model_not_found", f"{asked!r} is not served here; served: {told}.", param="model")
        return _json(model_info(asked) if is_anthropic(request.scope) else Model(asked))

    async def _served(self, request: Request) -> list[str]:
        """The models that this caller may use: to it there are no others."""
        caller = caller_of(request.scope)
        return [model for model in await self._surveys.models() if caller.may_use(model)]


def model_routes(surveys: Surveys, aliases: Aliases) -> list[Route]:
    """The routes, on this pool."""
    models = Models(surveys, aliases)
    return [Route(MODELS_ROUTE, models.all), Route(f"{MODELS_ROUTE}/{{id:path}}", models.one)]


def _json(told: msgspec.Struct) -> Response:
    # Whoever keeps answers for others must not give one API's clients the other's.
    headers = {"vary": "anthropic-version"}
    return Response(msgspec.json.encode(told), headers=headers, media_type="application/json")
