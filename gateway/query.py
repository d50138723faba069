"""What stands behind a request's question mark: a mistyped value would silently change the answer, so it is refused.

Names that nobody here knows are let be: clients have some of their own.
"""

from collections.abc import Mapping, Sequence

from shared.errors import Refused

_FLAGS: Mapping[str, bool] = {"true": True, "false": False}


def flag_in(params: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    """Whether something is wanted.

    Raises:
        Refused: it is said otherwise than by `true` or `false`.

    """
    given = params.get(name)
    if given is None:
        return default
    if given.lower() not in _FLAGS:
        raise Refused("invalid_value", f"`{name}` is true or false.", param=name)
    return _FLAGS[given.lower()]


def choice_in(params: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    """Which of these is wanted, if any is.

    Raises:
        Refused: another one is.

    """
    given = params.get(name)
    if given is not None and given not in choices:
        raise Refused("invalid_value", f"`{name}` is {' or '.join(choices)}.", param=name)
    return given
