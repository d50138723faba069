"""`python -m bench.clock.engine`: the scripted engine, with its text replaced by a clock stamp as it is written.

The stamp is taken before the lines are made, so the few microseconds of making them count as the path's delay.
"""

import os
import sys
import time
import traceback

import msgspec

from worker.engine.pipe import Pipe
from worker.engine.scripted.loop import Loop
from worker.engine.scripted.settings import read_settings
from worker.engine.wire import Token, decode_reply, encode_line

_TOKEN = b'{"status":"token"'


class ClockPipe(Pipe):
    """Writes each token's line with this moment for its text."""

    def write(self, lines: bytes) -> None:
        """Write lines."""
        stamp = f"{time.monotonic_ns()}\n"
        super().write(b"".join(_stamped(line, stamp) for line in lines.splitlines(keepends=True)))


def _stamped(line: bytes, stamp: str) -> bytes:
    if not line.startswith(_TOKEN):
        return line
    token = decode_reply(line)
    assert isinstance(token, Token)
    return encode_line(msgspec.structs.replace(token, content=stamp))


def main() -> None:
    """Run the engine on this process's stdin and stdout."""
    pipe = ClockPipe.open()
    settings = read_settings(sys.argv[1:])
    pipe.listen()
    loop = Loop(settings, pipe)
    loop.load()
    loop.serve()


if __name__ == "__main__":
    code = 0
    try:
        main()
    except Exception:  # noqa: BLE001 the border of the process
        traceback.print_exc()
        code = 1
    # Not sys.exit: the reader thread sits in a read that nothing ends.
    os._exit(code)
