"""A client over HTTP: it asks, reads its stream to the end, and comes back with `Last-Event-ID` when it is cut off.

A request with a key whose answer was lost is made again, since it runs once; one without a key is not. What happens
goes into the history, and nothing is judged here.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.queue import keyed_job_id

from . import history as h
from .history import History
from .http_stream import Answer, Broken, Sent, ask
from .load import Order
from .log_event import calls_in

SILENT_S = 13.0  # a gateway gives a sign of life each 10 s
PATIENCE_S = 90.0
SLOW_READER_S = 0.1
_AGAIN_S = (0.05, 0.4)  # between two tries
# Answers to a submit that say: this was not taken, and will not run.
_REFUSED = frozenset({"queue_full", "no_worker", "draining", "rate_limited", "too_many_jobs"})
# Ends of a job that came before its first event, so that they are an HTTP status.
_ENDS = frozenset({"poisoned", "engine_failed", "deadline_exceeded", "stream_lost", "stream_diverged", "does_not_fit"})
_COME_BACK = frozenset({"draining", "broker_down"})


class Who(msgspec.Struct, frozen=True):
    """Whose client it is, and the key that shows it."""

    tenant: str = ""
    api_key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """What each request says of that."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}


NOBODY = Who()


class Client:
    """Carries out orders at any of the gateways."""

    def __init__(
        self, ports: Sequence[int], model: str, history: History, chance: random.Random, *, who: Who = NOBODY
    ) -> None:
        self._ports = list(ports)
        self._model = model
        self._who = who
        self._history = history
        self._chance = chance

    async def carry_out(self, order: Order, *, key: str) -> None:
        """Ask, and follow the answer to its end. Requests with one key are one job; "" is no key."""
        job = keyed_job_id(self._model, self._who.tenant, key) if key else ""
        self._history.add(
            h.Asked(
                at=self._history.now(),
                request=order.request,
                client=order.client,
                body=order.body,
                job=job,
                manners=order.manners,
            )
        )
        visit = _Visit(order, job, key, self._who, self._history)
        leaves_after_s = order.leaves_after_s if order.manners == "leaver" else PATIENCE_S
        try:
            async with asyncio.timeout(leaves_after_s):
                await self._follow(visit)
        except TimeoutError:
            if order.manners == "leaver":
                visit.leave()
            visit.end("left" if order.manners == "leaver" else "gave_up")

    async def _follow(self, visit: "_Visit") -> None:
        port = self._chance.choice(self._ports)
        while not await visit.come(port):
            await asyncio.sleep(self._chance.uniform(*_AGAIN_S))
            port = self._chance.choice(self._ports)


class _Visit:
    """One request from its first try to its end, over as many connections as that takes."""

    def __init__(self, order: Order, job: str, key: str, who: Who, history: History) -> None:
        self._order = order
        self._job = job
        self._key = key
        self._who = who
        self._history = history
        self._place = ""
        self._events = 0
        self._is_accepted = False

    def leave(self) -> None:
        self._history.add(h.Left(at=self._history.now(), request=self._order.request))

    def end(self, how: h.How, code: str = "") -> bool:
        self._history.add(h.Over(at=self._history.now(), request=self._order.request, how=how, code=code))
        return True

    async def come(self, port: int) -> bool:
        """Try once: submit, or resume; tells whether the request is over."""
        tried_at = self._history.now()
        answer = None
        try:
            answer = await (self._resume(port) if self._is_accepted else self._submit(port))
            if answer.status == 200:
                self._note_accepted(answer, tried_at)
                return await self._read(answer, port)
            return self._refused(answer.status, await _code_of(answer), tried_at)
        except Broken as broken:
            return self._broken(str(broken), tried_at)
        finally:
            if answer:
                answer.close()

    async def _submit(self, port: int) -> Answer:
        headers = self._who.headers | ({"Idempotency-Key": self._key} if self._key else {})
        body = msgspec.json.encode(self._order.body)
        return await ask(port, "POST", "/chat", headers=headers, body=body, silent_s=SILENT_S)

    async def _resume(self, port: int) -> Answer:
        headers = self._who.headers | ({"Last-Event-ID": self._place} if self._place else {})
        return await ask(port, "GET", f"/chat/{self._job}", headers=headers, silent_s=SILENT_S)

    async def _read(self, answer: Answer, port: int) -> bool:
        async for sent in answer.events():
            event = sent.event
            self._note(sent)
            code = str(event.get("error", {}).get("code", ""))
            if "seq" not in event:
                return False if code in _COME_BACK else self.end("error", code)
            if event["status"] in {"done", "error", "cancelled"}:
                return self.end(h.how_of(event["status"]), code)
            await self._behave(port)
        raise Broken("ended without an end")

    async def _behave(self, port: int) -> None:
        if self._order.manners == "slow":
            await asyncio.sleep(SLOW_READER_S)
        elif self._order.manners == "canceller" and self._events == self._order.cancels_after:
            self.leave()
            path = f"/chat/{self._job}"
            (await ask(port, "DELETE", path, headers=self._who.headers, silent_s=SILENT_S)).close()

    def _note(self, sent: Sent) -> None:
        event = sent.event
        self._place = sent.place or self._place
        self._events += 1
        usage: dict[str, int] = event.get("usage") or {}
        self._history.add(
            h.Received(
                at=self._history.now(),
                request=self._order.request,
                seq=event.get("seq", 0),
                status=event["status"],
                content=event.get("content", ""),
                calls=calls_in(event.get("tool_calls", ())),
                attempt=event.get("attempt", 0),
                code=str(event.get("error", {}).get("code", "")),
                completion_tokens=usage.get("completion_tokens"),
            )
        )

    def _note_accepted(self, answer: Answer, tried_at: float) -> None:
        if not self._is_accepted:
            self._is_accepted = True
            self._job = answer.headers["x-job-id"]
            self._answered("ok", tried_at, answer.status)

    def _broken(self, why: str, tried_at: float) -> bool:
        if self._is_accepted:
            self._history.add(h.Cut(at=self._history.now(), request=self._order.request, why=why))
            return False
        self._answered("unknown", tried_at, 0)
        return not self._key and self.end("gave_up")

    def _refused(self, status: int, code: str, tried_at: float) -> bool:
        if code in _ENDS:
            self._answered("ok", tried_at, status, code)
            return self.end("error", code)
        if self._is_accepted:
            return self._not_resumed(status, code)
        is_final = status < 500 and status != 429
        is_refused = is_final or code in _REFUSED
        self._answered("refused" if is_refused else "unknown", tried_at, status, code)
        if not (is_refused or self._key):
            return self.end("gave_up", code)
        return is_final and self.end("refused", code)

    def _not_resumed(self, status: int, code: str) -> bool:
        if status >= 500 or status == 429:
            return False
        if code == "job_not_found" and not self._events and self._key:
            self._is_accepted = False  # nothing was received, so it may be asked for again
            return False
        return self.end("lost", code or str(status))

    def _answered(self, outcome: h.Outcome, tried_at: float, status: int, code: str = "") -> None:
        self._history.add(
            h.Answered(
                at=self._history.now(),
                request=self._order.request,
                outcome=outcome,
                tried_at=tried_at,
                status=status,
                code=code,
                job=self._job if outcome == "ok" else "",
            )
        )


async def _code_of(answer: Answer) -> str:
    error: dict[str, Any] = (await answer.json()).get("error", {})
    return str(error.get("code", ""))
