"""The file of API keys, as the operator's command and the gateways agree on it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.key_file import (
    KEY_PREFIX,
    KeyEntry,
    KeyFileError,
    KeyLimits,
    digest_of,
    encode_keys,
    new_key,
    parse_keys,
    read_keys,
)

CREATED = datetime(2026, 11, 22, 19, 30, tzinfo=UTC)


def entry(name: str = "phone", key: str = "k") -> KeyEntry:
    """A key's entry, with every field set."""
    return KeyEntry(
        id=name,
        tenant="acme",
        sha256=digest_of(key.encode()).hex(),
        created=CREATED,
        limits=KeyLimits(requests_per_minute=60, tokens_per_minute=9_000, concurrent_jobs=4),
        models=("tiny",),
        may_hi=True,
    )


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Field by field; and a file without keys is one."""
    path = tmp_path / "keys.json"
    path.write_bytes(encode_keys([entry()]))
    path.chmod(0o600)

    assert read_keys(path) == (entry(),)
    assert parse_keys(encode_keys([])) == ()


def test_the_file_holds_no_key() -> None:
    """Whoever reads it can't use it."""
    key = new_key()

    text = encode_keys([entry(key=key)]).decode()

    assert key not in text
    assert digest_of(key.encode()).hex() in text


def test_a_key_can_not_be_guessed_and_is_recognised() -> None:
    """256 random bits, in letters that every shell and header takes, behind a prefix that scanners can look for."""
    keys = {new_key() for _ in range(100)}

    assert len(keys) == 100
    assert all(key.startswith(KEY_PREFIX) and len(key) == len(KEY_PREFIX) + 43 for key in keys)
    assert all(key.replace("-", "_").isidentifier() for key in keys)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"id": "a b"}, "id"),
        ({"tenant": ""}, "tenant"),
        ({"sha256": "abc"}, "sha256"),
        ({"models": []}, "models"),
        ({"limits": {"requests_per_minute": 0}}, "requests_per_minute"),
        ({"limits": {"requests_per_hour": 1}}, "requests_per_hour"),
        ({"created": "today"}, "created"),
        ({"may_everything": True}, "may_everything"),
    ],
)
def test_a_file_with_a_slip_in_it_is_refused_whole(changed: dict[str, object], named: str) -> None:
    """A mistyped limit is no missing limit; the message names the field, and shows nothing of any key."""
    good = {"id": "a", "tenant": "a", "sha256": "0" * 64, "created": "2026-11-22T19:30:00Z"}

    with pytest.raises(KeyFileError, match=named) as refused:
        parse_keys(_file(good | changed))

    assert "0" * 64 not in str(refused.value)


@pytest.mark.parametrize("name", ["id", "sha256"])
def test_no_two_keys_are_alike(name: str) -> None:
    """One id would share its counts with another's; one digest would be somebody else, now and then."""
    one, other = entry("a", "k1"), entry("b", "k2")
    twin = KeyEntry(**{field: getattr(one if field == name else other, field) for field in one.__struct_fields__})

    with pytest.raises(KeyFileError, match=f"{name}.*twice"):
        parse_keys(encode_keys([one, twin]))


def _file(key: dict[str, object]) -> bytes:
    return json.dumps({"version": 1, "keys": [key]}).encode()
