"""The script as it is sent: `join.sh`, which stands beside this, with this version and where its wheel is."""

import re
from pathlib import Path

_TEXT = Path(__file__).with_name("join.sh")
# What goes into a shell's quotes: a host by its name or address, and nothing that could end the quotes.
_BASE = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?")


def script(version: str, wheel_url: str | None) -> str:
    """Give the script; without a wheel it installs this version from the package index."""
    return _TEXT.read_text("utf-8").replace("@VERSION@", version).replace("@WHEEL@", wheel_url or "")


def wheel_url(base: str, name: str) -> str | None:
    """Write where the wheel of this name is, for whoever asked under this address; None if that can't be written."""
    return f"{base.rstrip('/')}/join/{name}" if _BASE.fullmatch(base) else None
