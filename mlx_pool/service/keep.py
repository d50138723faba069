"""`python -m mlx_pool.service.keep ENV_FILE LOG PART …`: what launchd starts. Runs the part, and its log stays small.

The variables come from a file that only this user can read. Signals are passed on, and the part's exit code is ours.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from mlx_pool.part import part_argv
from mlx_pool.up.log_file import LogFile

from .env_file import decode_env

_LAST_WORDS_S: Final = 2.0  # what it started may hold the pipe open behind its end


def main(argv: Sequence[str]) -> int:
    """Keep the part until it ends; returns its exit code, or 128 and the signal that ended it."""
    env_file, log, part, *rest = argv
    command = part_argv("mlx_pool", ("up", *rest)) if part == "up" else part_argv(part, rest)
    env = dict(os.environ) | decode_env(Path(env_file).read_text("utf-8"))
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    return keep(command, env, LogFile(Path(log)))


def keep(command: Sequence[str], env: Mapping[str, str], log: LogFile) -> int:
    """Run a command, with its output into the log."""
    process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None

    def pass_on(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    reading = threading.Thread(target=_take, args=(process.stdout, log), daemon=True)
    reading.start()
    code = process.wait()
    reading.join(_LAST_WORDS_S)
    return code if code >= 0 else 128 - code


def _take(output: IO[bytes], log: LogFile) -> None:
    while data := os.read(output.fileno(), 1 << 16):
        log.write(data)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
