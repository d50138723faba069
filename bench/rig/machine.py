"""The machine in words, as every entry of LOG.md begins: what decides the figures, and nothing that names a host."""

import os
import platform
import subprocess


def machine(broker: str | None) -> str:
    """System, processor kind, cores, interpreter, the broker where there is one, and how busy it is right now."""
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    words = [
        f"{system} {platform.machine()}, {os.cpu_count()} cores",
        f"{platform.python_implementation()} {platform.python_version()}",
        *([_server(broker)] if broker else []),
        f"load {os.getloadavg()[0]:.1f} before the run",
    ]
    return ", ".join(words)


def _server(broker: str) -> str:
    version = subprocess.run([broker, "--version"], capture_output=True, text=True, check=False).stdout
    # It says: Valkey server v=9.1.0 and more.
    name, _, rest = version.partition(" ")
    return f"{name or 'broker'} {rest.partition('v=')[2].partition(' ')[0]}"
