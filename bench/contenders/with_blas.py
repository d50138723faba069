"""`python -m bench.contenders.with_blas COMMAND …`: the command, on the BLAS that the pool's engine would preload.

It replaces this process, whose id it keeps. Where no BLAS is to be preloaded it is the bare command.
"""

import os
import sys

from worker.engine.load.preload import exec_with_fast_blas_if_found


def main() -> None:
    """Become the command."""
    exec_with_fast_blas_if_found(sys.orig_argv)
    program, *_ = command = sys.argv[1:]
    os.execvp(program, command)


if __name__ == "__main__":
    main()
