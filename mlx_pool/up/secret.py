"""Secrets that this machine makes and keeps: one a file, of mode 600."""

import os
import secrets
from pathlib import Path

BITS = 192


def kept_secret(path: Path) -> str:
    """Give the secret in this file, made on first use. Hex digits only: it stands in URLs and configuration files."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        if kept := path.read_text().strip():
            return kept
        path.unlink()  # made, but never filled: the disk was full
        return kept_secret(path)
    made = secrets.token_hex(BITS // 8)
    with os.fdopen(descriptor, "w") as file:
        file.write(made + "\n")
    return made
