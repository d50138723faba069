"""What a worker is called: `<host>.<pid>.<random>`, one name for each run of an agent, never used again."""

import re
import secrets


def host_name(name: str) -> str:
    """A machine's name as it may stand in a worker's id."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)[:48] or "host"


def incarnation(host: str, pid: int) -> str:
    """A new name for a worker; `host` as `host_name` gives it."""
    return f"{host}.{pid}.{secrets.token_hex(4)}"


def is_run_of(worker_id: str, host: str, pid: int) -> bool:
    """Whether a worker is, or was, that process."""
    return worker_id.startswith(f"{host}.{pid}.")
