"""Anthropic's own SDK as the client."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, cast

import pytest
from anthropic import AsyncAnthropic
from anthropic.lib.streaming import AsyncMessageStream
from anthropic.types import Message

from shared.claims import Claimed
from shared.event import AnyEvent
from tests.gateway.conftest import Serving
from tests.gateway.hand import Served


class Asked(NamedTuple):
    """A gateway that serves, and the SDK that asks it."""

    served: Served
    sdk: AsyncAnthropic

    def asking(self, request: dict[str, Any]) -> asyncio.Task[Message]:
        """Ask for a whole message, to be answered by and by."""
        create = cast("Callable[..., Coroutine[Any, Any, Message]]", self.sdk.messages.create)
        return asyncio.create_task(create(**request))

    async def create(self, request: dict[str, Any], *events: AnyEvent) -> tuple[Claimed, Message]:
        """Have a request answered whole; the job as the worker got it, and the message."""
        creating = self.asking(request)
        job = await self.served.hand.claim()
        await self.served.hand.end(job, self.served.hand.started(job), *events)
        return job, await creating

    async def stream(self, request: dict[str, Any], *events: AnyEvent) -> tuple[Claimed, Message]:
        """The same, streamed."""
        job, stream = await self.begin(request)
        async with stream:
            await self.served.hand.end(job, *events)
            return job, await stream.get_final_message()

    async def begin(self, request: dict[str, Any]) -> tuple[Claimed, AsyncMessageStream[None]]:
        """Open a stream that has just begun."""
        beginning = asyncio.create_task(self.sdk.messages.stream(**request).__aenter__())
        job = await self.served.hand.claim()
        await self.served.hand.say(job, self.served.hand.started(job))
        return job, await beginning


Asking = Callable[..., AbstractAsyncContextManager[Asked]]


@pytest.fixture
def asking(serving: Serving) -> Asking:
    """Serve for the length of a block, with an SDK; options are the SDK's, which retries only if it is told to."""

    @contextlib.asynccontextmanager
    async def start(*, key: str | None = None, has_worker: bool = True, **options: Any) -> AsyncGenerator[Asked]:
        options = {"api_key": "none", "max_retries": 0} | options
        async with (
            serving(key=key, has_worker=has_worker) as served,
            AsyncAnthropic(base_url=f"http://127.0.0.1:{served.port}", **options) as sdk,
        ):
            yield Asked(served, sdk)

    return start
