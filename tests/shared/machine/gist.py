"""What an event says, in a few words, so that the model and a log in Redis can be laid side by side."""

from shared.event import AnyEvent, Cancelled, Error, Token

TERMINAL = ("done", "error", "cancelled")


def gist_of(event: AnyEvent) -> str:
    """`started`, `token 17`, `done`, `error poisoned`, `cancelled unheard`."""
    status = type(event).__name__.lower()
    match event:
        case Token(tokens=tokens):
            return f"{status} {' '.join(map(str, tokens))}"
        case Error(code=code):
            return f"{status} {code}"
        case Cancelled(reason=reason):
            return f"{status} {reason}"
        case _:
            return status


def is_end(gist: str) -> bool:
    """Whether it ends a job."""
    return gist.partition(" ")[0] in TERMINAL
