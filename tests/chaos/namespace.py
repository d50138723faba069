"""A network namespace for one process of the pool, and packets that fall on their way to it: what no proxy can do.

The kernel's own retransmits, timeouts and half-open connections are at work here. Linux only, and only for root, with
`ip` and `nft` at hand; `is_possible` tells.
"""

import functools
import os
import shutil
import subprocess
import sys
from typing import Literal

Way = Literal["in", "out", "both", "reset"]
_TABLE = "inet chaos"
_DROP = "{{ type filter hook {hook} priority 0; policy drop; }}"
_REJECT = "{ type filter hook input priority 0; policy accept; }"


@functools.cache
def is_possible() -> bool:
    """Whether this machine lets us have namespaces and filters."""
    if sys.platform != "linux" or os.geteuid() != 0 or not (shutil.which("ip") and shutil.which("nft")):
        return False
    probe = Namespace(62)
    try:
        probe.open()
        probe.cut("both")
    except subprocess.CalledProcessError:
        return False
    finally:
        probe.close()
    return True


class Namespace:
    """The n-th namespace of this run, joined to ours by a pair of virtual interfaces; `here` is our end's address."""

    def __init__(self, number: int) -> None:
        own = os.getpid()
        self.name = f"chaos-{own}-{number}"
        # Of the range that is set aside for measurements of networks, so it is nobody's.
        net = f"198.18.{own % 256}"
        self.here, self._there = f"{net}.{4 * number + 1}", f"{net}.{4 * number + 2}"
        self._veth, self._peer = f"c{own % 100_000}h{number}", f"c{own % 100_000}t{number}"

    @property
    def prefix(self) -> list[str]:
        """What runs a command in it, under the same process id."""
        return ["ip", "netns", "exec", self.name]

    def open(self) -> None:
        """Make it."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._veth, "type", "veth", "peer", "name", self._peer, "netns", self.name)
        _run("ip", "addr", "add", f"{self.here}/30", "dev", self._veth)
        _run("ip", "link", "set", self._veth, "up")
        self._inside("ip", "addr", "add", f"{self._there}/30", "dev", self._peer)
        self._inside("ip", "link", "set", self._peer, "up")

    def close(self) -> None:
        """Remove it, and with it both interfaces."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def cut(self, way: Way) -> None:
        """Let packets fall: those that come in, those that go out, both; or answer what comes in with a reset."""
        self._inside("nft", f"add table {_TABLE}")
        if way == "reset":
            self._inside("nft", f"add chain {_TABLE} in {_REJECT}")
            self._inside("nft", f"add rule {_TABLE} in meta l4proto tcp reject with tcp reset")
        for hook, ways in (("input", ("in", "both")), ("output", ("out", "both"))):
            if way in ways:
                self._inside("nft", f"add chain {_TABLE} {hook} {_DROP.format(hook=hook)}")

    def mend(self) -> None:
        """Let everything pass again."""
        self._inside("nft", f"delete table {_TABLE}")

    def _inside(self, *words: str) -> None:
        _run(*self.prefix, *words)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
