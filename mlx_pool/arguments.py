"""Arguments of one command, by cyclopts, which is imported only once a command is called; and what many have alike."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

from .failure import Unusable
from .part import Engine

if TYPE_CHECKING:
    from .flags_page import FlagsPage  # it draws with rich, for which only a call for help pays

RedisFlag = Annotated[str | None, Parameter(help="The queue's address. [default: that of this machine's `up`]")]
UrlFlag = Annotated[str | None, Parameter(help="The gateway. [default: that of this machine's `up`]")]
KeyFileFlag = Annotated[Path | None, Parameter(name="--api-key-file", help="A file with the gateway's API key.")]
OnDemandFlag = Annotated[
    str | None,
    Parameter(help="A,B,…: more models, each loaded when a job waits for it; A=12 says that it needs 12 GiB."),
]
EngineFlag = Annotated[Engine, Parameter(help="What generates: mlx, or scripted, which needs no model.")]
JsonFlag = Annotated[bool, Parameter(name="--json", negative="", help="JSON, for programs.")]


def call(function: Callable[..., int], argv: Sequence[str], *, name: str) -> int:
    """Call the function with what its signature makes of the arguments, and return its exit code; `--help` returns 0.

    Raises:
        Unusable: the arguments don't fit the signature.

    """
    app = App(
        name=f"mlx-pool {name}",
        help_format="plaintext",
        help_formatter=_page() if {"-h", "--help"} & set(argv) else "plain",
        version_flags=(),
        result_action="return_value",
    )
    app.default(function)
    try:
        code: int | None = app(argv, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        words = " ".join(error.unused_tokens or ())
        raise Unusable(f"{words}: that is more than it takes. See `mlx-pool {name} --help`.") from error
    except CycloptsError as error:
        raise Unusable(f"{error} See `mlx-pool {name} --help`.") from error
    return code or 0


def _page() -> "FlagsPage":
    from .flags_page import FlagsPage  # noqa: PLC0415 -- as above

    return FlagsPage()
