"""From a history to verdicts: a pure function, so that a run can be judged again from its file.

C1 … C11 are the rules of the design's page on reliability; the rules without a number are what a scenario expects
besides.
"""

from collections.abc import Sequence

from .checks import endings, pace, prying, rest, streams
from .evidence import Evidence
from .history import AnyRecord
from .verdict import Verdict

CHECKS = (
    endings.nothing_accepted_is_lost,
    endings.nothing_unasked_appears,
    endings.a_job_ends_once,
    streams.streams_are_whole,
    streams.old_attempts_are_fenced,
    endings.deliveries_are_bounded,
    streams.usage_is_what_was_received,
    rest.all_is_quiet,
    pace.polite_clients_fare_alike,
    pace.somebody_always_gets_on,
    prying.a_job_is_its_tenants,
    pace.takeovers_are_as_expected,
    pace.refusals_are_quick,
    pace.the_pool_comes_back,
    pace.leaving_frees_the_slot,
    pace.something_was_tried,
)


def check(records: Sequence[AnyRecord]) -> list[Verdict]:
    """Judge a history."""
    evidence = Evidence(records)
    return [check_one(evidence) for check_one in CHECKS]
