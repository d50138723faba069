"""How many files this process, and those that it starts, may have open: a socket is one."""

import resource
import sys

_MACOS_MOST = 10_240  # more is refused there on many machines, whatever the limit claims to be


def allow_files(wanted: int) -> None:
    """Raise the limit where it is lower; ends the process with a line where it can't be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    for files in (min(most, _MACOS_MOST), most):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
        except (ValueError, OSError):
            break
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        sys.exit(f"this measurement needs {wanted:,} open files; raise the limit (ulimit -Hn is {hard:,})")
