"""Which keys open, and whom they let in."""

import pytest

from gateway.access.keys_file import KeysFile
from gateway.access.lock import Lock, keys_given
from gateway.caller import Caller
from shared.errors import Refused

from .conftest import GivenKeys

Given = list[tuple[bytes, bytes]]


def bearer(key: str) -> Given:
    """An Authorization header."""
    return [(b"authorization", f"Bearer {key}".encode())]


def outcome(lock: Lock, given: Given) -> Caller | str:
    """Whom the lock lets in, or what it says."""
    try:
        return lock.open(given)
    except Refused as refused:
        return f"{refused.code}: {refused.message}"


@pytest.mark.parametrize(
    "given",
    [
        [(b"authorization", b"Bearer s3cret")],
        [(b"authorization", b"bearer   s3cret ")],
        [(b"x-api-key", b"s3cret")],
        [(b"authorization", b"Bearer s3cret"), (b"x-api-key", b"s3cret")],
    ],
)
def test_the_shared_key_opens_in_either_header(given: Given) -> None:
    """OpenAI's clients send one header, Anthropic's the other, some send both."""
    assert Lock("s3cret").open(given) == Caller()


@pytest.mark.parametrize(
    "given",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Bearer wrong")],
        [(b"authorization", b"Basic s3cret")],
        [(b"authorization", b"s3cret")],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"Bearer s3cret"), (b"x-api-key", b"wrong")],
        [(b"authorization", b"Basic eDp5"), (b"x-api-key", b"s3cret")],
        [(b"x-api-key", b"s3cret"), (b"x-api-key", b"other")],
    ],
)
def test_anything_else_is_one_and_the_same_refusal(given: Given) -> None:
    """What was wrong is not told, since only somebody who guesses would learn from it."""
    assert outcome(Lock("s3cret"), given) == outcome(Lock("s3cret"), bearer("nobody's"))


def test_a_key_of_the_file_tells_who_asks(keys: GivenKeys) -> None:
    """Tenant, name, limits and rights come with the key."""
    limits = {"requests_per_minute": 60, "concurrent_jobs": 2}
    header = keys.give("phone", tenant="acme", limits=limits, models=["tiny"], may_hi=True)["authorization"]

    caller = Lock(None, KeysFile(keys.path)).open([(b"authorization", header.encode())])

    assert (caller.tenant, caller.key, caller.may_hi) == ("acme", "phone", True)
    assert (caller.limits.requests_per_minute, caller.limits.concurrent_jobs) == (60, 2)
    assert caller.may_use("tiny")
    assert not caller.may_use("large")


def test_the_file_and_the_shared_key_open_side_by_side(keys: GivenKeys) -> None:
    """Who has used the one key goes on with it while others get their own."""
    header = keys.give("phone")["authorization"]
    lock = Lock("s3cret", KeysFile(keys.path))

    assert lock.open(bearer("s3cret")).tenant == ""
    assert lock.open([(b"authorization", header.encode())]).tenant == "phone"


def test_whoever_was_let_in_is_known_by_its_keys_name(keys: GivenKeys) -> None:
    """With the rights of now; revoked, or given to another tenant, it is nobody any more."""
    header = keys.give("phone", tenant="acme")["authorization"]
    before = Lock("s3cret", KeysFile(keys.path)).open([(b"authorization", header.encode())])
    shared = Lock("s3cret").open(bearer("s3cret"))

    keys.change("phone", may_hi=True)
    now = Lock("s3cret", KeysFile(keys.path)).standing(before)
    keys.change("phone", tenant="other")

    assert now
    assert (before.may_hi, now.may_hi) == (False, True)
    assert Lock(None, KeysFile(keys.path)).standing(before) is None
    assert Lock("s3cret").standing(before) is None
    assert Lock(None, KeysFile(keys.path)).standing(shared) == shared


def test_a_file_without_keys_lets_nobody_in(keys: GivenKeys) -> None:
    """No keys is not the same as no lock."""
    assert outcome(Lock(None, KeysFile(keys.path)), bearer("any")) == outcome(Lock("s3cret"), [])


def test_what_is_given_is_gathered_from_both_headers() -> None:
    """Two different keys are two, and no one's turn to choose."""
    assert keys_given([(b"authorization", b"Bearer a"), (b"x-api-key", b"b"), (b"cookie", b"c")]) == {b"a", b"b"}
