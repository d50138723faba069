"""What producers and readers do: submit, add directly, cancel, listen, leave, come back after the retention."""

from typing import Any

from hypothesis import strategies as st

from shared.errors import Refused
from shared.queue import Submission

from . import producing
from .stage import BODIES, Stage, agree, deed, pick
from .world import Entry

NUMBER = st.integers(0, 11)
SELDOM = st.sampled_from([False, False, False, True])
HOUR_MS = 3_600_000
# What can be wrong with an entry: its fields, and the code in which it ends.
FLAWS: dict[str, tuple[dict[str, str], str]] = {
    "no body": ({"tenant": "t"}, "missing_field"),
    "too large": ({"body": "x" * 65}, "body_too_large"),
    "bad timeout": ({"body": "{}", "timeout_ms": "soon"}, "invalid_value"),
    "foreign reply": ({"body": "{}", "reply": "elsewhere"}, "invalid_value"),
    "unknown version": ({"body": "{}", "v": "2"}, "unsupported"),
    "bad id": ({"body": "{}", "id": "no id"}, "bad id"),
}


def _has_attached(self: Stage) -> bool:
    return any(job.is_attached for job in self.world.jobs.values())


class ProducerRules(Stage):
    """Who wants answers."""

    @deed(
        numbers=st.lists(NUMBER, min_size=1, max_size=3),
        other_body=SELDOM,
        job_class=st.sampled_from(["hi", "std", "lo"]),
        who=st.sampled_from(["background", "attached", "heard"]),
        may_wait=st.booleans(),
        twice=SELDOM,
        tenant=st.sampled_from(["", "", "a", "b"]),
    )
    async def submit(
        self,
        *,
        numbers: list[int],
        other_body: bool,
        job_class: Any,
        who: str,
        may_wait: bool,
        twice: bool,
        tenant: str,
    ) -> None:
        """Submit jobs, known or not, listening first or not; said again at once it finds that they are there."""
        asks = [(self._new_id(number), BODIES[other_body and n == 0]) for n, number in enumerate(numbers)]
        is_attached = who != "background"
        how = {"job_class": job_class, "attached": is_attached, "may_wait": may_wait, "tenant": tenant}
        for job_id in sorted({job_id for job_id, _ in asks} - self.world.heard) if who == "heard" else []:
            await self.ear.listen(job_id)
            self.world.heard.add(job_id)
        for _ in range(1 + twice):
            expected = producing.submit(self.world, asks, job_class, is_attached=is_attached, tenant=tenant)
            agree(expected, await self._submit([Submission(*ask, HOUR_MS) for ask in asks], **how))

    async def _submit(self, jobs: list[Submission], **how: Any) -> object:
        try:
            return [(each.state, each.is_new) for each in await self.here.queue.submit(jobs, **how)]
        except Refused as refused:
            return refused.code

    @deed(number=NUMBER, job_class=st.sampled_from(["std", "lo"]), other_body=st.booleans(), wants_reply=st.booleans())
    async def add(self, number: int, job_class: str, other_body: bool, wants_reply: bool) -> None:
        """Add a job as any other service does, with an id of its own or without."""
        job_id = self._new_id(number) if number % 2 else ""
        body = BODIES[other_body]
        fields: dict[str, Any] = {"body": body} | ({"id": job_id} if job_id else {})
        fields |= {"reply": f"{self.here.keys.prefix}:reply:me"} if wants_reply else {}
        default = await self.here.xadd(job_class, **fields)
        self.ids += [] if job_id else [default]
        entry = Entry(job_id or default, job_class, body, is_named=bool(job_id), wants_reply=wants_reply)
        producing.add(self.world, entry)

    @deed(job_class=st.sampled_from(["std", "lo"]), flaw=st.sampled_from(sorted(FLAWS)))
    async def add_what_cannot_run(self, job_class: str, flaw: str) -> None:
        """Add an entry that no worker can run; its log says why."""
        fields, code = FLAWS[flaw]
        default = await self.here.xadd(job_class, **fields)
        body = fields.get("body", "").encode()
        entry = Entry(default, job_class, body, is_named="id" in fields, flaw=code, tenant=fields.get("tenant", ""))
        producing.add(self.world, entry)

    def _new_id(self, number: int) -> str:
        """An id that nobody has used, or one of the last ones."""
        if number < 8 or not self.ids:
            self.ids.append(f"j{len(self.ids) + 1}")
        return self.ids[-1] if number < 8 else self.job_id(number - 8)

    @deed(number=NUMBER, reason=st.sampled_from(["cancelled", "unheard"]), if_unheard=st.booleans(), twice=SELDOM)
    async def cancel(self, number: int, reason: str, if_unheard: bool, twice: bool) -> None:
        """Cancel a job in whatever state."""
        job_id = self.job_id(number)
        for _ in range(1 + twice):
            expected = producing.cancel(self.world, job_id, reason, if_unheard=if_unheard)
            agree(expected, await self.here.queue.cancel(job_id, reason=reason, if_unheard=if_unheard))

    @deed(number=NUMBER)
    async def ask_for_a_cancel(self, number: int) -> None:
        """Cancel with a plain command, for the reapers to hear."""
        job_id = self.job_id(number)
        await self.here.redis("XADD", f"{self.here.keys.prefix}:cancels", "*", "id", job_id)
        self.world.cancels.append(job_id)

    @deed(number=NUMBER, when=_has_attached)
    async def listen(self, number: int) -> None:
        """Listen to an attached job's channel, or no more."""
        job_id = pick([job.id for job in self.world.jobs.values() if job.is_attached][-3:], number)
        if job_id in self.world.heard:
            await self.ear.mute(job_id)
        else:
            await self.ear.listen(job_id)
        self.world.heard ^= {job_id}

    @deed(number=NUMBER, when=lambda self: any(job.unheard == "lately" for job in self.world.jobs.values()))
    async def stay_away(self, number: int) -> None:
        """Let a job have gone unheard for longer than the orphan grace."""
        job = pick([job for job in self.world.jobs.values() if job.unheard == "lately"], number)
        await self.here.redis("HSET", self.here.keys.job(job.id), "unheard", 1)
        job.unheard = "long"

    @deed(number=NUMBER, when=lambda self: any(job.state == "ended" for job in self.world.jobs.values()))
    async def outlive_the_retention(self, number: int) -> None:
        """Let an ended job's record and log be gone: its id is as new, and what was said of it is long past."""
        job = pick([job for job in self.world.jobs.values() if job.state == "ended"], number)
        await self.here.redis("DEL", self.here.keys.job(job.id), self.here.keys.log(job.id))
        del self.world.jobs[job.id]
        self.said = [said for said in self.said if job.id not in said.job_ids]
        self.runs = [run for run in self.runs if run.job_id != job.id]
        self.granted = {(job_id, attempt) for job_id, attempt in self.granted if job_id != job.id}
