"""`BENCH_CENSUS=FILE python -m bench.heap.engine --model …`: the engine, which writes a census on SIGUSR1.

A thread of its own takes it, when the engine is idle: a signal handler slower than the engine's wait for its next line
would make that a wait without end.
"""

import os
import runpy
import signal
import threading
from pathlib import Path

import msgspec

FILE = "BENCH_CENSUS"


def main() -> None:
    """Run the engine on this process's stdin and stdout."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})  # in all threads to come
    threading.Thread(target=_write_when_asked, args=(Path(os.environ[FILE]),), daemon=True).start()
    runpy.run_module("worker.engine", run_name="__main__", alter_sys=True)


def _write_when_asked(file: Path) -> None:
    while signal.sigwait({signal.SIGUSR1}):
        from .count import take_census  # noqa: PLC0415 - it brings mlx, for which the engine chooses a BLAS first

        whole = file.with_suffix(".part")
        whole.write_bytes(msgspec.json.encode(take_census()))
        whole.rename(file)


if __name__ == "__main__":
    main()
