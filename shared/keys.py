"""The names of everything the pool keeps in Redis. All keys of one queue share one hash tag, so one slot."""

import hashlib
from typing import NamedTuple

MODELS = "pool:models"
PEERS = "pool:peers"  # a hash: machines that give models to others, each with where, and the token that it asks for
CLASSES = ("re", "hi", "std", "lo", "sus")  # `re`: given back, read first; `sus`: suspects, read one at a time


class Keys(NamedTuple):
    """The keys of one model's queue. `T:jobs:std`, `T:log:<id>` and `T:cancels` are public, see docs/protocol.md."""

    model: str

    @property
    def prefix(self) -> str:
        """`T`, the hash-tagged prefix, which every script takes as its one key."""
        return f"pool:{{{self.model}}}"

    @property
    def limits(self) -> str:
        """A hash: what every producer is bounded by."""
        return f"{self.prefix}:limits"

    @property
    def workers(self) -> str:
        """A sorted set: live incarnations by the end of their lease."""
        return f"{self.prefix}:workers"

    @property
    def weights(self) -> str:
        """A hash: the fingerprint of what the workers have loaded."""
        return f"{self.prefix}:model"

    @property
    def dead(self) -> str:
        """A stream: dead letters."""
        return f"{self.prefix}:dead"

    def jobs(self, job_class: str) -> str:
        """A stream: the jobs of a class."""
        return f"{self.prefix}:jobs:{job_class}"

    def job(self, job_id: str) -> str:
        """A hash: a job's record."""
        return f"{self.prefix}:job:{job_id}"

    def log(self, job_id: str) -> str:
        """A stream: a job's events, entry id `<seq>-<attempt>`, field `e`."""
        return f"{self.prefix}:log:{job_id}"

    def channel(self, job_id: str) -> str:
        """A channel: the same events, live."""
        return f"{self.prefix}:chan:{job_id}"

    def control(self, worker_id: str) -> str:
        """A channel: cancels and drains for a worker, as hints."""
        return f"{self.prefix}:ctl:{worker_id}"

    def worker(self, worker_id: str) -> str:
        """A hash: what a worker tells of itself."""
        return f"{self.prefix}:worker:{worker_id}"


def key_prefix(key_id: str) -> str:
    """The prefix of what is counted for one API key, whose id has no braces: a hash tag, so one slot, of its own."""
    return f"pool:key:{{{key_id}}}"


BULK = "pool:bulk:open"  # a hash: the batches that have not ended, each with its tenant


def bulk_prefix(tag: str) -> str:
    """`T` of a file or batch with this tag, 32 hex digits: everything of it lies in one slot."""
    return f"pool:bulk:{{{tag}}}"


def bulk_list(tenant: str, what: str) -> str:
    """A sorted set: a tenant's files, or its batches, by when they were made."""
    return f"pool:bulk:of:{hashlib.sha256(tenant.encode()).hexdigest()[:32]}:{what}"
