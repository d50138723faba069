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

_KEY_WANTED = "The gateway asks for another API key: name a file that holds it with --api-key-file."


def main() -> int:
    """Run the command that the process's arguments name; the result is the exit code: 0 done, 1 fault, 2 usage."""
    try:
        code = _dispatch(sys.argv[1:])
        sys.stdout.flush()  # what can't be written any more is known here, and not at the interpreter's end
    except CommandError as error:
        _tell(f"mlx-pool: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output left (`| head`): nobody is there to be told. What the interpreter still flushes at
        # exit goes nowhere, else it would complain.
        _close_stdout()
        return 0
    except OSError as error:  # a disk that is full, a folder that may not be looked into
        _close_stdout()
        _tell(f"mlx-pool: {str(error) or type(error).__name__}")
        return 1
    except UnicodeError as error:
        _tell(f"mlx-pool: That is no text in UTF-8, or it can't be shown here: {error}")
        return 2
    return code


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
        # The gateway's words are for those who write headers.
        raise Unusable(_KEY_WANTED if error.code == "invalid_api_key" else error.message) from error
    except Fault as error:
        from shared.connection import is_wrong_password  # noqa: PLC0415 -- as above
        from shared.tls import is_wrong_certificate  # noqa: PLC0415 -- as above

        # It may pass for a process that stays, not for the address that somebody typed.
        is_mistyped = is_wrong_certificate(error) or is_wrong_password(error)
        raise (Unusable if is_mistyped else Failed)(error.message) from error


def _module(name: str) -> Any:
    # Nothing that is made by an import is garbage; to look for some all the while takes a fifth of its time.
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


def _close_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(line, file=sys.stderr)  # noqa: T201 -- the command's own voice


if __name__ == "__main__":
    sys.exit(main())
