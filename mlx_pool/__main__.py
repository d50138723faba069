"""The composition root of `mlx-pool`: it picks the command, and turns what it raises into one line and an exit code.

Commands are imported only when they are called, so that help stays within its 200 ms.
"""

import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from .commands import Command, command_named, help_page
from .failure import CommandError, Failed, Unusable


def main() -> int:
    """Run the command that the process's arguments name; the result is the exit code: 0 done, 1 fault, 2 usage."""
    try:
        return _dispatch(sys.argv[1:])
    except CommandError as error:
        _tell(f"mlx-pool: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output left (`| head`): nobody is there to be told. What the interpreter still flushes at
        # exit goes nowhere, else it would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(argv: Sequence[str]) -> int:
    match argv:
        case [] | ["-h" | "--help" | "help"]:
            sys.stdout.write(help_page())
            return 0
        case ["--version"]:
            # importlib.metadata costs 30 ms that no other command needs to pay
            version = importlib.import_module("importlib.metadata").version("mlx-pool")
            sys.stdout.write(f"mlx-pool {version}\n")
            return 0
        case [name, *rest]:
            command = command_named(name)
            if command is None:
                raise Unusable(f"There is no command `{name}`; `mlx-pool --help` lists them.")
            return _run(command, rest)
        case _:
            raise AssertionError(argv)


def _run(command: Command, argv: Sequence[str]) -> int:
    if command.becomes is not None:
        return importlib.import_module("mlx_pool.part").become(command.becomes, argv)
    assert command.runs is not None, "a command runs or becomes something"
    from shared.errors import Fault, Refused  # noqa: PLC0415 -- help does not pay for it

    try:
        return _module(command.runs).run(argv)
    except Refused as error:
        raise Unusable(error.message) from error
    except Fault as error:
        from shared.tls import is_wrong_certificate  # noqa: PLC0415 -- as above

        # It may pass for a process that stays, not for the address that somebody typed.
        raise (Unusable if is_wrong_certificate(error) else Failed)(error.message) from error


def _module(name: str) -> Any:
    # Nothing that is made by an import is garbage; to look for some all the while takes a fifth of its time.
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(line, file=sys.stderr)  # noqa: T201 -- the command's own voice


if __name__ == "__main__":
    sys.exit(main())
