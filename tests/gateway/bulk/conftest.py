"""API keys of several tenants."""

from pathlib import Path

import pytest

from tests.gateway.access.conftest import GivenKeys


@pytest.fixture
def keys(tmp_path: Path) -> GivenKeys:
    """A file of keys, to which the test gives."""
    return GivenKeys(tmp_path / "keys.json")
