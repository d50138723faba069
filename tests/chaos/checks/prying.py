"""C11: nobody gets at another tenant's jobs. Pure."""

from tests.chaos.evidence import Evidence
from tests.chaos.history import Pried
from tests.chaos.verdict import Verdict

_NO_ANSWER = 0  # the gateway died, or hung up
_NOT_NOW = 503
_UNKNOWN, _NO_KEY = 404, 401


def a_job_is_its_tenants(evidence: Evidence) -> Verdict:
    """C11: to all others it is unknown, however they ask; that its text is its own is C4, and that it goes on C1."""
    answered = [each for each in evidence.pried if each.status not in {_NO_ANSWER, _NOT_NOW}]
    faults = [
        f"{each.job}: {each.method} by {each.who or 'nobody'} was answered with {each.status}"
        for each in answered
        if each.status != _due(each)
    ]
    return Verdict("C11", "a job is its tenant's", len(answered), faults)


def _due(each: Pried) -> int:
    return _UNKNOWN if each.who else _NO_KEY
