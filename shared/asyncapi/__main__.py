"""Print the document: `python -m shared.asyncapi > docs/asyncapi.json`, or `make asyncapi`."""

import sys

from .document import document

if __name__ == "__main__":
    sys.stdout.buffer.write(document())
