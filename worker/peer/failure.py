"""What goes wrong with other machines' models, by what follows from it.

Fault
├── Untrue     a machine gave something else than what the pool knows: nothing of it is kept, and somebody should look
└── PeersGone  none of the machines gives it now: it is taken from where it usually comes
"""

from shared.errors import Fault


class Untrue(Fault):
    """What came is not what was promised; the message begins in the middle of a sentence, about the machine."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message)


class PeersGone(Fault):
    """Nobody gives it."""

    def __init__(self, message: str) -> None:
        super().__init__("internal", message)
