"""How many connections a gateway takes, and how many files this process may have open for them."""

import contextlib
import resource

import structlog

from shared.config import ConfigError

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
MAX_CONNECTIONS = 10_000
# Files that are no clients' connections: Redis's, the log, certificates; and clients that are being turned away.
OTHER_FILES = 256
MACOS_FILES = 10_240  # more is refused there on many machines, whatever the limit claims to be
MAX_LEAVING = 100
TELL_EVERY_S = 10.0


class Places:
    """The places for connections: who comes when all are taken is told so, and may come again."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.refused = 0
        self.leaving = 0  # connections that are being told so
        self._told_at_s = -TELL_EVERY_S

    def has_room(self, taken: int, now_s: float) -> bool:
        """Whether one more can be let in, be it to be told that it finds no place; tells the operator where not."""
        if taken + self.leaving < self.limit + MAX_LEAVING:
            return True
        self.refuse(now_s)
        return False

    def refuse(self, now_s: float) -> None:
        """Count a connection that found no place, and tell the operator now and then."""
        self.refused += 1
        if now_s - self._told_at_s >= TELL_EVERY_S:
            self._told_at_s = now_s
            log.warning("connections_full", limit=self.limit, refused=self.refused)


def places_for(wanted: int | None) -> Places:
    """As many as were asked for; else ten thousand, or fewer where the system's limit on open files says so.

    Raises:
        ConfigError: so many were asked for as this system does not allow.

    """
    files = _open_files((wanted or MAX_CONNECTIONS) + OTHER_FILES)
    allowed = max(files - OTHER_FILES, files // 2)
    if wanted is not None and wanted > allowed:
        raise ConfigError(f"--max-connections {wanted}: the limit on open files allows {allowed} (ulimit -n)")
    if wanted is None and allowed < MAX_CONNECTIONS:
        log.warning("connections_limited", limit=allowed, usual=MAX_CONNECTIONS, open_files=files, raise_by="ulimit -n")
    return Places(min(wanted or MAX_CONNECTIONS, allowed))


def _open_files(wanted: int) -> int:
    """Raise this process's limit where it is lower, as far as that goes; the limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        for files in (min(most, MACOS_FILES), most):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else soft
