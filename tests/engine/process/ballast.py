"""`BALLAST=FILE python ballast.py --model …`: the engine, with as much memory held besides as the file says.

The file is read at each SIGUSR1, by a thread of its own: a slow signal handler would make the engine's wait for its
next line one without end.
"""

import os
import runpy
import signal
import threading
from pathlib import Path


def carry(file: Path) -> None:
    """Hold memory, written to so that the system counts it."""
    held = b""
    while signal.sigwait({signal.SIGUSR1}):
        del held
        held = b"x" * int(file.read_text())


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # in all threads to come
    threading.Thread(target=carry, args=(Path(os.environ["BALLAST"]),), daemon=True).start()
    runpy.run_module("worker.engine", run_name="__main__", alter_sys=True)
