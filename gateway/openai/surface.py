"""The routes of OpenAI's API that generate."""

from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.client import read_body
from gateway.following import Following

from .answers import Answers, ChatAnswers, TextAnswers
from .chat_request import ChatRequest
from .completing import Completing
from .fields import CHAT, TEXT, Fields
from .reading import read_request
from .sampling import Sampling
from .text_request import TextRequest

R = TypeVar("R", bound=Sampling)


def openai_routes(following: Following) -> list[Route]:
    """The routes, on this pool."""
    completions = _Completions(Completing(following))
    return [
        Route("/v1/chat/completions", completions.chat, methods=["POST"]),
        Route("/v1/completions", completions.text, methods=["POST"]),
    ]


class _Completions:
    """The two calls that generate."""

    def __init__(self, completing: Completing) -> None:
        self._completing = completing

    async def chat(self, request: Request) -> ASGIApp:
        """Answer a conversation."""
        return await self._complete(request, ChatRequest, CHAT, ChatAnswers)

    async def text(self, request: Request) -> ASGIApp:
        """Go on with texts."""
        return await self._complete(request, TextRequest, TEXT, TextAnswers)

    async def _complete(
        self, request: Request, kind: type[R], fields: Fields, answers: Callable[[R], Answers]
    ) -> ASGIApp:
        body = await read_body(request.headers, request.receive)
        asked, ignored = read_request(body, kind, fields)
        return await self._completing.answer(request, answers(asked), ignored)
