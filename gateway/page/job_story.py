"""`GET /pool/jobs/{id}`: what befell a job, and at which machines; nothing of what was asked or answered."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import Caller, caller_of
from shared.connection import Broker
from shared.errors import Refused
from shared.job import GUESSABLE_ID, JOB_ID
from shared.life import Life, life_of


class JobStory:
    """The call: operators may ask for any job, everybody else for those of their own tenant."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def get(self, request: Request) -> Response:
        """Tell it.

        Raises:
            Refused: job_not_found: unknown, expired and another's are one answer.

        """
        life = await self._find(request.path_params["id"], caller_of(request.scope))
        return Response(msgspec.json.encode(life), media_type="application/json")

    async def _find(self, given: str, caller: Caller) -> Life:
        if JOB_ID.fullmatch(given) and (caller.may_operate or not GUESSABLE_ID.fullmatch(given)):
            try:
                life = await life_of(self._broker, given, tenant=caller.tenant)
            except Refused:
                pass
            else:
                if caller.may_operate or life.tenant == caller.tenant:
                    return life
        raise Refused("job_not_found", "No such job, or its log has expired.")
