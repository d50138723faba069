"""Arguments of one command, by cyclopts: the only module that imports it, and only once a command is called."""

from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError

from .failure import Unusable


def call(function: Callable[..., int], argv: Sequence[str], *, name: str) -> int:
    """Call the function with what its signature makes of the arguments, and return its exit code; `--help` returns 0.

    Raises:
        Unusable: the arguments don't fit the signature.

    """
    app = App(
        name=f"mlx-pool {name}",
        help_format="plaintext",
        help_formatter="plain",
        version_flags=(),
        result_action="return_value",
    )
    app.default(function)
    try:
        code: int | None = app(argv, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise Unusable(f"{error} See `mlx-pool {name} --help`.") from error
    return code or 0
