"""`GET /`: the page for browsers, and the routes as text for everybody else; and the page's files."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from shared.errors import Refused

from .assets import HEADERS, Asset, read_assets

ROUTES = """\
mlx-pool

GET    /              this text, or in a browser the page: the pool, a chat, jobs, dead letters
POST   /chat          a job: {"prompt": "…"} or {"messages": […]}; NDJSON, or by Accept SSE or plain text
GET    /chat/{id}     its stream again, from ?after= or Last-Event-ID
DELETE /chat/{id}     cancel it
POST   /v1/chat/completions, /v1/completions, GET /v1/models   as OpenAI's clients ask
POST   /v1/responses, GET /v1/responses/{id}   the same, with responses that can be asked for again
       /v1/files, /v1/batches          files of requests, run when there is time
POST   /v1/messages, /v1/messages/count_tokens   as Anthropic's clients ask
GET    /pool          workers, models, queues; /pool/events the same once a second
GET    /pool/jobs/{id}   what befell a job, and where
GET    /pool/dead     dead letters; POST /pool/dead/retry, /pool/dead/drop
GET    /join          a shell script for a bare machine: curl -fsSL …/join | sh -s -- redis://HOST:PORT
GET    /health        200 when a worker is ready; /health/live for this process alone
GET    /metrics       Prometheus; ?scope=pool for all workers, Accept: application/json for a summary
GET    /openapi.json  all of this for tools (OpenAPI 3.1)
"""
_VARY = {"vary": "accept"}


class Shell:
    """What a browser loads before it asks for anything of the pool. Nothing of it is a secret, or needs a key."""

    def __init__(self) -> None:
        self._assets = read_assets()

    async def index(self, request: Request) -> Response:
        """The page, where HTML is wanted."""
        if "text/html" in request.headers.get("accept", ""):
            return self._assets["index.html"].answer(request.headers, _VARY)
        return PlainTextResponse(ROUTES, headers={**HEADERS, **_VARY})

    async def file(self, request: Request) -> Response:
        """One of its files.

        Raises:
            Refused: there is none of that name.

        """
        asset: Asset | None = self._assets.get(request.path_params["name"])
        if asset is None:
            raise Refused("not_found", "The page has no such file.")
        return asset.answer(request.headers)
