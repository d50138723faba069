"""`python -m worker.engine.scripted`: exit code 0 at the end of input, 1 after a fault, 2 for flags it can't serve."""

import os
import sys
import traceback
from collections.abc import Sequence

from worker.engine.pipe import Pipe
from worker.engine.wire import Error, encode_line

from .loop import Loop
from .settings import UsageError, read_settings


def main(argv: Sequence[str]) -> int:
    """Run the engine on this process's stdin and stdout."""
    pipe = Pipe.open()
    try:
        settings = read_settings(argv)
    except UsageError as error:
        pipe.write(encode_line(Error(code="invalid_value", message=str(error))))
        return 2
    pipe.listen()
    loop = Loop(settings, pipe)
    loop.load()
    loop.serve()
    return 0


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        code = 130
    except Exception:  # noqa: BLE001 - the border of the process: a half-dead engine is the worst state
        traceback.print_exc()
        code = 1
    # Not sys.exit: the reader thread sits in a read that nothing ends.
    sys.stderr.flush()
    os._exit(code)
