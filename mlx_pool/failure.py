"""The two ways in which a command ends badly: each is one line for the person who typed it, and an exit code.

CommandError
├── Unusable   what was asked can't work; the line says what to do instead; exit 2
└── Failed     it should have worked and did not; exit 1
"""

from typing import ClassVar


class CommandError(Exception):
    """Ends the command with one line on stderr, shown without a stack trace."""

    exit_code: ClassVar[int]


class Unusable(CommandError):
    """The flags, the files or the machine have to be changed before this can work."""

    exit_code = 2


class Failed(CommandError):
    """The same command may work later."""

    exit_code = 1
