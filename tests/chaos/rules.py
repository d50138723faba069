"""What a run is held to, beyond what always holds: a scenario's expectations, as plain data."""

from typing import Literal

import msgspec


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The measure of one scenario. What is None is not measured."""

    # What a text must be: the scripted engine's own words, or those of the same request in the rehearsal.
    oracle: Literal["scripted", "rehearsal"] = "scripted"
    # Codes in which a job may end here though nobody cancelled it: poison where there is poison, and so on.
    may_end_in: list[str] = []
    must_end_in: dict[str, str] = {}  # code by a piece of the prompt: what has it ends so, and nothing else may
    is_tail_kept: bool = True  # false: the broker lost writes, so a client's seqs may differ from the log's
    barren_limit: int = 5  # attempts in a row without a token, the last one included
    engine_deaths: int | None = None  # how many one poisoned job may cause
    takeovers: int | None = None  # attempts beyond the first, of all jobs
    quiet_s: float = 30.0  # from the last request's end to rest
    gap_s: float | None = None  # between two events of one stream, its first one not counted
    stall_s: float = 20.0  # between any two events of the pool while somebody waits
    refused_s: float | None = None  # how long a refusal may take
    back_s: float | None = None  # from a healing to the next event at any client that waits
    cancel_p99_s: float | None = None  # from a client's leaving to the job's last event
    fairness: float | None = None  # Jain's index over the clients' tokens per second
    resident_mb: int = 64  # how much larger a process may be at rest than the largest of its kind at base
    descriptors: int = 16  # likewise, for what is no connection to the broker
    min_struck: int = 1  # a run in which the nemeses did less than this proved nothing
    min_done: int = 1  # likewise, for jobs done
