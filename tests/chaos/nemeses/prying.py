"""A nemesis that breaks nothing: tenants, and some who are nobody's, ask for jobs of others."""

import random

import msgspec

from tests.chaos.http_stream import Broken, ask
from tests.chaos.load import tenant_of
from tests.chaos.nemesis import Field

_WITHIN_S = 13.0
_WAYS = (
    ("GET", "/chat/{job}"),
    ("DELETE", "/chat/{job}"),
    ("GET", "/v1/responses/{job}"),
    ("GET", "/pool/jobs/{job}"),
)


class Pry(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a job that was accepted a moment ago, as another tenant or without a key."""

    every_s: tuple[float, float] = (0.01, 0.05)

    async def strike(self, field: Field, chance: random.Random) -> None:
        """Ask once."""
        keys = field.pool.api_keys
        known = field.lately()
        if not known:
            return
        job, client = chance.choice(known)
        owner = tenant_of(client, len(keys))
        who = chance.choice([tenant for tenant in ("", *keys) if tenant != owner])
        method, path = chance.choice(_WAYS)
        headers = {"Authorization": f"Bearer {keys[who]}"} if who else {}
        status = await _status(chance.choice(field.pool.ports), method, path.format(job=job), headers)
        field.struck(self, job, f"{method} by {who or 'nobody'}")
        field.pried(job, who=who, method=method, status=status)


async def _status(port: int, method: str, path: str, headers: dict[str, str]) -> int:
    try:
        answer = await ask(port, method, path, headers=headers, silent_s=_WITHIN_S)
    except Broken:
        return 0
    answer.close()
    return answer.status
