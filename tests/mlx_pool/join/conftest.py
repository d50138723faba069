"""A pool that asks for its password."""

import pytest
import redis as sync_redis

from tests.conftest import Broker

PASSWORD = "open-sesame"


@pytest.fixture
def guarded(own_broker: Broker) -> str:
    """Give the address of a broker that asks for a password."""
    with sync_redis.Redis(port=own_broker.port) as client:
        client.config_set("requirepass", PASSWORD)
    return f"redis://:{PASSWORD}@127.0.0.1:{own_broker.port}/0"
