"""Models that other programs have downloaded: the hub client's cache, read without the client.

The client's import takes a second, and names are looked up on every start.
"""

from collections.abc import Mapping
from pathlib import Path

from .folders import is_model_folder


def cached_snapshot(hub_id: str, env: Mapping[str, str]) -> Path | None:
    """Find a whole model of this id in the hub client's cache."""
    repository = _cache(env) / f"models--{hub_id.replace('/', '--')}"
    try:
        commit = (repository / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = repository / "snapshots" / commit
    return snapshot if is_model_folder(snapshot) else None


def _cache(env: Mapping[str, str]) -> Path:
    if hub := env.get("HF_HUB_CACHE"):
        return Path(hub)
    if home := env.get("HF_HOME"):
        return Path(home) / "hub"
    user_cache = env.get("XDG_CACHE_HOME") or Path(env.get("HOME") or Path.home()) / ".cache"
    return Path(user_cache) / "huggingface" / "hub"
