"""Print a script whole: `python -m shared.scripts submit`."""

import sys

from . import NAMES, source

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m shared.scripts {{{','.join(NAMES)}}}")
    sys.stdout.write(source(sys.argv[1]))
