"""Everything that can happen to a queue, for Hypothesis to put into any order, and the rest that must follow.

Each rule does one thing to Redis and the same to the model, and holds their answers against each other; after each,
all that Redis has must be what the model has (`picture.py`), and no promise may be broken (`promises.py`). A rule's
numbers pick among what is there, so that any number is a choice.
"""

from .accident_rules import AccidentRules
from .producer_rules import ProducerRules
from .promises import restless

PATIENCE = 100


class Machine(ProducerRules, AccidentRules):
    """A queue, all that is done to it, and its end."""

    def teardown(self) -> None:
        """Let an unbroken queue come to rest, and leave nothing open."""
        try:
            if self.is_sound:
                self.site.run(self._rest())
        finally:
            self.site.run(self._close())

    async def _rest(self) -> None:
        """Let all workers go but a new one, which runs everything to its end: then nothing is left but dated keys."""
        for job_id in sorted(self.world.heard):
            await self.ear.mute(job_id)
        self.world.heard.clear()
        for worker in self.workers:
            await self.bury_worker(worker.worker_id)
        self.runs.clear()
        last = await self.register("last")
        await self.tick_once(ago_ms=250, sweeps=True)
        for _ in range(PATIENCE):
            if not any(self.world.streams.values()):
                break
            await self.check()
            await self.claim_for(last, 4)
            for run in self.held():
                await self.finish_run(run, 1, 0, "done")
        await self.bury_worker(last.worker_id)
        await self.check()
        left = restless(self.sight)
        assert not left, "\n".join(left)

    async def _close(self) -> None:
        await self.ear.aclose()
        await self.here.client.aclose()
