"""Which queue, which id, how long to linger: decided on values."""

import msgspec
import pytest

from gateway.access.charge import Charge
from gateway.admission import KEYED_LINGER_MS, Ticket, body_of, choose_model, key_of, linger_of, may_wait
from gateway.surveys import Surveys
from shared.allowance import Allowance
from shared.errors import PoolError
from shared.job import Job, parse_job
from shared.key_file import KeyLimits
from shared.pool import Pool
from shared.queue import Submission

from .hand import at_work


@pytest.mark.parametrize(
    ("asked", "served", "live", "ready", "default", "chosen"),
    [
        ("b", "ab", "a", "a", None, "b"),
        (None, "a", "a", "a", None, "a"),
        (None, "a", "", "", None, "a"),
        (None, "ab", "b", "", None, "b"),
        (None, "ab", "ab", "b", None, "b"),
        (None, "ab", "ab", "ab", "a", "a"),
        ("b", "ab", "ab", "ab", "a", "b"),
    ],
    ids=["named", "only", "only, its worker restarts", "only live", "only loaded", "default", "named over default"],
)
def test_the_model_is_the_named_the_default_or_the_only_one(
    *, asked: str | None, served: str, live: str, ready: str, default: str | None, chosen: str
) -> None:
    """A request may leave the model out wherever there is no doubt."""
    assert choose_model(asked, served=served, live=live, ready=ready, default=default) == chosen


@pytest.mark.parametrize(
    ("asked", "served", "default", "code"),
    [
        ("c", "ab", None, "model_not_found"),
        (None, "ab", None, "missing_field"),
        (None, "a", "c", "model_not_found"),
        ("a", "", None, "no_worker"),
    ],
)
def test_a_model_in_doubt_is_refused_with_the_choices(
    asked: str | None, served: str, default: str | None, code: str
) -> None:
    """The error says what could be asked for; with nothing served yet, to come back."""
    with pytest.raises(PoolError) as raised:
        choose_model(asked, served=served, live=served, ready=served, default=default)

    assert raised.value.code == code
    assert all(model in raised.value.message for model in served)


def test_equal_work_is_equal_bytes() -> None:
    """What only its way needs is not part of the body: a retry in another format is the same job."""
    plain = parse_job('{"prompt":"x"}')
    way = '"stream":false,"id":"a","linger_ms":5,"model":"m","affinity":"b"'
    dressed = parse_job(f'{{"prompt":"x","temperature":0.7,{way}}}')

    assert body_of(plain, "m") == body_of(dressed, "m") == b'{"prompt":"x","model":"m"}'
    assert body_of(plain, "m") != body_of(msgspec.structs.replace(plain, background=True), "m")


def test_lingering_is_for_those_who_can_come_back() -> None:
    """Without a name for its job a client is gone for good; what it asks for itself comes first."""
    job = Job(prompt="x")

    assert linger_of(job, has_key=False) == 0
    assert linger_of(job, has_key=True) == KEYED_LINGER_MS
    assert linger_of(Job(prompt="x", linger_ms=7), has_key=True) == 7


def test_a_key_comes_from_body_or_header() -> None:
    """Both mean the same; an empty header is none."""
    assert key_of(Job(prompt="x", id="a"), None) == "a"
    assert key_of(Job(prompt="x"), "b") == "b"
    assert key_of(Job(prompt="x"), "") is None
    with pytest.raises(PoolError):
        key_of(Job(prompt="x"), "k" * 257)


def test_who_may_wait_needs_no_worker_now() -> None:
    """Background work and the low class are kept for later; everybody else is waiting in person."""
    assert may_wait(Job(prompt="x", background=True))
    assert may_wait(Job(prompt="x", class_="lo"))
    assert not may_wait(Job(prompt="x"))


async def test_one_of_several_jobs_is_submitted_again_by_itself(broker: str) -> None:
    """It was paid for, and of the others some may have ended since: those must not run anew."""
    async with at_work(broker) as hand:
        submissions = [Submission(f"job-{number}", b'{"prompt":"x"}', 60_000) for number in range(2)]
        charge = Charge(Allowance(hand.broker, "key", KeyLimits()), {"job-0": 5, "job-1": 5}, [])
        ticket = Ticket(
            queue=hand.queue,
            submissions=submissions,
            job=Job(prompt="x"),
            linger_ms=0,
            trace="",
            tenant="",
            surveys=Surveys(Pool(hand.broker)),
            charge=charge,
        )

        again = ticket.only(1)

        assert again.charge is None
        assert [submitted.id for submitted in await again.submit()] == ["job-1"]
        assert (await hand.queue.survey()).waiting_total == 1
