"""The queues as they are looked at before and after, with the rights that a machine has."""

import re
import subprocess
import sys

from mlx_pool.upgrade.pool import surveys
from tests.conftest import Broker as Server


def test_a_workers_own_user_of_redis_is_enough(own_broker: Server) -> None:
    """It may not list the queues, but look into those that are named: no machine needs more for its own upgrade."""
    command = [sys.executable, "-P", "-m", "mlx_pool", "acl", "--role", "worker", "--redis", own_broker.url, "--apply"]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    address = re.search(r"redis://worker:\S+", made)
    assert address is not None, made

    assert surveys(own_broker.url, ["qwen3-4b"]) == []
    assert [survey.model for survey in surveys(address[0], ["qwen3-4b"])] == ["qwen3-4b"]
