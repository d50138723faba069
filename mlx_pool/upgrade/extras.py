"""Which extras an installation has: nobody notes it, but all that an extra asks for is there or is not."""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_PLATFORM = re.compile(r"""sys_platform\s*==\s*['"](\w+)['"]""")

# Gives what a distribution asks for, as its metadata tells it; None where it is not installed.
Requires = Callable[[str], Sequence[str] | None]


class _Wanted(msgspec.Struct, frozen=True):
    name: str
    extras: tuple[str, ...]
    extra: str | None  # of whoever asks: it is only wanted with that
    platform: str | None


def extras_in_use(name: str, requires: Requires, platform: str) -> tuple[str, ...]:
    """Give the extras of this distribution of which everything is installed that they add on this platform."""
    wanted = list(_wanted(requires(name) or ()))
    extras = sorted({each.extra for each in wanted if each.extra})
    return tuple(extra for extra in extras if _is_there(wanted, extra, requires, platform))


def _is_there(wanted: Sequence[_Wanted], extra: str, requires: Requires, platform: str) -> bool:
    added = [each for each in wanted if each.extra == extra and each.platform in {None, platform}]
    return bool(added) and all(_is_installed(each, requires, platform) for each in added)


def _is_installed(wanted: _Wanted, requires: Requires, platform: str) -> bool:
    """Whether it is there, with its own extras: `mlx[cpu]` and `mlx[cuda13]` are not the same."""
    told = requires(wanted.name)
    if told is None:
        return False
    own = list(_wanted(told))
    return all(
        _is_there(own, extra, requires, platform) for extra in wanted.extras if any(e.extra == extra for e in own)
    )


def _wanted(lines: Sequence[str]) -> Iterator[_Wanted]:
    for line in lines:
        asked, _, marker = line.partition(";")
        if found := _REQUIREMENT.match(asked):
            extras = tuple(part.strip() for part in (found[2] or "").split(",") if part.strip())
            extra, platform = _EXTRA.search(marker), _PLATFORM.search(marker)
            yield _Wanted(found[1], extras, extra and extra[1], platform and platform[1])
