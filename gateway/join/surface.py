"""The routes: the script, and the wheel that it installs."""

import asyncio
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import Refused

from .script import script, wheel_url
from .wheel import Wheel, own_wheel

_HEADERS = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


def join_routes() -> list[Route]:
    """The routes; nothing is read before somebody asks."""
    joining = _Joining()
    return [Route("/join", joining.script), Route("/join/{name}", joining.wheel)]


class _Joining:
    def __init__(self) -> None:
        self._wheel: Wheel | None = None

    async def script(self, request: Request) -> Response:
        """The script, with the place of this version's wheel where the caller's way to it is known."""
        where = wheel_url(str(request.base_url), (await self._read()).name)
        text = script(version("mlx-pool"), where)
        return Response(text, headers=_HEADERS, media_type="text/plain")

    async def wheel(self, request: Request) -> Response:
        """The wheel.

        Raises:
            Refused: there is none of that name.

        """
        wheel = await self._read()
        if wheel.name != request.path_params["name"]:
            raise Refused("not_found", "This gateway has no such wheel.")
        return Response(wheel.body, headers=_HEADERS, media_type="application/octet-stream")

    async def _read(self) -> Wheel:
        if self._wheel is None:
            # In a thread: no stream should stand still for it.
            self._wheel = await asyncio.to_thread(own_wheel)
        return self._wheel
