"""Following jobs for a client: listen, begin, answer, and leave when the client does. Every API's requests end here."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Fault, Refused
from shared.limits import Limits
from shared.pool import Pool
from shared.queue import Queue, Submitted

from .admission import Admission, Ticket
from .audience import Audience
from .client import until_it_leaves
from .course import Course
from .delivery import Tally
from .metrics.figures import Kind, Ledger
from .news import News, wants_news
from .order import Mark
from .receipt import Receipt, receipt_of
from .relay import Relay

_OPERATIONS = {"chat": "chat", "text": "text_completion"}  # by a job's kind; to count tokens is none

Begin = Callable[[Receipt], Awaitable[None]]
End = Callable[[], Awaitable[None]]
Answer = Callable[[Send], Awaitable[None]]


async def _nothing() -> None:
    """End what somebody else submitted: its charge is not ours to put right."""


class Followed(NamedTuple):
    """Jobs of one queue, a relay each, and what sets them going."""

    queue: Queue
    relays: Sequence[Relay]
    begin: Begin
    end: End = _nothing  # once nobody follows them any more, whether they began or not
    tokens: int | None = None  # of the prompt, about, where it is known here


class Following:
    """Gives out relays, and runs answers that read them."""

    def __init__(
        self, pool: Pool, admission: Admission, audience: Audience, news: News, *, ledger: Ledger, tally: Tally
    ) -> None:
        self.pool = pool
        self.admission = admission
        self._audience = audience
        self._news = news
        self._ledger = ledger
        self._tally = tally

    def of_ticket(self, ticket: Ticket) -> Followed:
        """New jobs: they are submitted when somebody listens."""
        ids = [submission.id for submission in ticket.submissions]
        relays = [
            Relay(ticket.queue, job_id, tally=self._tally, resubmit=_resubmit(ticket, place))
            for place, job_id in enumerate(ids)
        ]

        has_begun = False
        courses = dict[Relay, Course]()

        async def begin(receipt: Receipt) -> None:
            nonlocal has_begun
            has_begun = True
            for relay, submitted in zip(relays, await self._submit(ticket), strict=True):
                if not submitted.is_new:
                    relay.read_from_log()
                elif operation := _OPERATIONS.get(ticket.job.kind):
                    kind = Kind(ticket.queue.model, operation)
                    courses[relay] = receipt.begin(relay.job_id, kind, self._ledger)
                    courses[relay].wait_s = self._ledger.waits.of(ticket.job.class_, ticket.tenant)
                    relay.on_taken = courses[relay].note

        async def end() -> None:
            for relay, course in courses.items():
                if not ticket.runs_on:
                    course.leave(relay.fault)
            await (_settle(ticket, relays) if has_begun else ticket.withdraw())

        return Followed(ticket.queue, relays, begin, end, ticket.tokens)

    async def _submit(self, ticket: Ticket) -> list[Submitted]:
        is_refused = False
        try:
            return await ticket.submit()
        except Refused:
            is_refused = True
            raise
        finally:
            # Where no answer came they may be on the queue all the same, and are not to run for nobody.
            if not (is_refused or ticket.job.background):
                for submission in ticket.submissions:
                    self._audience.owns(submission.id, ticket.linger_ms)

    def of_job(self, queue: Queue, job_id: str, mark: Mark | None = None) -> Followed:
        """A job that is there already, from its beginning or from behind a mark."""
        relay = Relay(queue, job_id, tally=self._tally, mark=mark)

        async def begin(_: Receipt) -> None:
            relay.read_from_log()

        return Followed(queue, [relay], begin)

    def answer(self, followed: Followed, answer: Answer) -> ASGIApp:
        """Run an answer while the jobs are followed; whatever it has not read when it returns, the client has left."""
        queue, relays, begin, end, tokens = followed

        async def respond(scope: Scope, receive: Receive, send: Send) -> None:
            # Listen before submit: pub/sub keeps nothing for late listeners.
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(end)
                is_told = wants_news(scope)
                await stack.enter_async_context(until_it_leaves(receive, relays))
                await stack.enter_async_context(self._audience.attend(queue, relays))
                if any(relay.has_left for relay in relays):
                    return
                await begin(receipt_of(scope))
                self._audience.watch(queue, relays)
                if is_told:  # of several answers, the first one's: it is the next to begin
                    stack.enter_context(self._news.told_to(queue, relays[0], tokens=tokens))
                await answer(send)

        return respond


async def _settle(ticket: Ticket, relays: Sequence[Relay]) -> None:
    # A job that goes on without its client is charged as was foreseen: nobody here sees what it will have used.
    if ticket.charge:
        seen = [relay for relay in relays if relay.has_ended or not ticket.runs_on]
        ended = [relay.job_id for relay in relays if relay.has_ended]
        await ticket.charge.settle({relay.job_id: relay.used_tokens for relay in seen}, ended=ended)


def _resubmit(ticket: Ticket, place: int) -> Callable[[float], Awaitable[None]]:
    async def submit_again(age_s: float) -> None:
        if may_be_over(age_s, await ticket.queue.limits()):
            raise Fault("stream_lost", "Redis no longer has this job.")
        await ticket.only(place).submit()

    return submit_again


def may_be_over(age_s: float, limits: Limits) -> bool:
    """Whether a job that was asked for so long ago, and has no record, may be one that has ended."""
    return age_s * 1_000 >= limits.retention_ms / 2
