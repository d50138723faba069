"""The process that outlives a killed `up`, for as long as it takes to end what was left.

`python -m mlx_pool.up.guardian DIR PID`. It holds one end of a pipe whose other end only `up`, process PID, has. When
that ends, it does at once what the next `up` would do.
"""

import os
import sys
import time
from pathlib import Path

from mlx_pool.data_folder import DataFolder

from .lock import Held, hold
from .state import end_leftovers

_LOOK_EVERY_S = 0.02


def guard(folder: DataFolder, up_pid: str) -> None:
    """Wait until `up` is gone, then end what it left; nothing is left after an orderly end."""
    while os.read(sys.stdin.fileno(), 4_096):
        pass
    while True:
        try:
            with hold(folder.lock, "guardian"):
                end_leftovers(folder.state)
        except Held as held:
            if held.pid != up_pid:
                return  # the next `up` is already there, and has done it
            time.sleep(_LOOK_EVERY_S)  # of a killed process the kernel may close the pipe first, and the lock next
        else:
            return


if __name__ == "__main__":
    guard(DataFolder(Path(sys.argv[1])), up_pid=sys.argv[2])
