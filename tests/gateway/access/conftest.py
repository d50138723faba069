"""A file of keys in the test's hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.key_file import KeyEntry, digest_of, encode_keys, new_key

Headers = dict[str, str]


class GivenKeys:
    """Keys that were given out, in a file as the operator's command keeps it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, KeyEntry] = {}
        self._write()

    def give(self, name: str, *, tenant: str = "", **rights: Any) -> Headers:
        """Give out a key; the headers of who shows it. `limits` may be a dict."""
        key = new_key()
        digest = digest_of(key.encode()).hex()
        fields = {"id": name, "tenant": tenant or name, "sha256": digest, "created": datetime.now(UTC), **rights}
        self._entries[name] = msgspec.convert(fields, KeyEntry)
        self._write()
        return {"authorization": f"Bearer {key}"}

    def change(self, name: str, **rights: Any) -> None:
        """Change what a key may do, as an operator does by hand."""
        entry = self._entries[name]
        self._entries[name] = msgspec.convert(msgspec.to_builtins(entry) | rights, KeyEntry)
        self._write()

    def revoke(self, name: str) -> None:
        """Take a key away."""
        del self._entries[name]
        self._write()

    def _write(self) -> None:
        scratch = self.path.with_suffix(".new")
        scratch.write_bytes(encode_keys(list(self._entries.values())))
        scratch.chmod(0o600)
        scratch.replace(self.path)


@pytest.fixture
def keys(tmp_path: Path) -> GivenKeys:
    """An empty file of keys."""
    return GivenKeys(tmp_path / "keys.json")
