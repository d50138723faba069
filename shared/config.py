"""Configuration: one frozen struct a process, from flags, then environment, then defaults; all mistakes at once.

A field is `Annotated[type, Option("what it is and when to change it")]`. Field `redis_url` is read from `--redis-url`,
else from `MLX_POOL_REDIS_URL`, unless its option names others. A field of type `tuple[str, ...]` takes its flag several
times, and commas in the environment. Pure: nothing is read but the arguments, and for help the terminal's width.
"""

import shutil
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_WIDEST = 120  # of help; longer lines are hard to read


class Option:
    """How a field is set from outside."""

    def __init__(self, help: str, *, flag: str | None = None, env: str | None = None, is_secret: bool = False) -> None:  # noqa: A002 the word that users of argparse know
        self.help = help
        self.flag = flag
        self.env = env
        self.is_secret = is_secret


class ConfigError(Exception):
    """One line for each mistake: where, the value, what was expected."""


class HelpWanted(Exception):
    """`--help` was given; the text is the argument."""


def read_config(
    struct: type[T], argv: Sequence[str], env: Mapping[str, str], *, prog: str, env_prefix: str = "MLX_POOL_"
) -> T:
    """Read a process's configuration.

    Raises:
        ConfigError: with every mistake, not only the first.
        HelpWanted: `-h` or `--help` is among the arguments.

    """
    settings = list(_settings(struct, env_prefix))
    if "-h" in argv or "--help" in argv:
        raise HelpWanted(_help(prog, struct, settings))
    given, mistakes = _parse_flags(argv, settings)
    values: dict[str, Any] = {}
    for setting in settings:
        words = given.get(setting.name)
        source, raw = (setting.flag, _last(setting, words)) if words else (setting.env, env.get(setting.env))
        if raw is None or (raw == "" and not words):
            if setting.is_required:
                mistakes.append(f"{setting.flag} (or {setting.env}) is missing: {setting.option.help}")
            continue
        try:
            values[setting.name] = msgspec.convert(_prepared(setting, raw), setting.type, strict=False)
        except msgspec.ValidationError as error:
            shown = "…" if setting.option.is_secret else repr(raw)
            mistakes.append(f"{source}={shown}: {_why(error, setting.option)}")
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return struct(**values)


def _why(error: msgspec.ValidationError, option: Option) -> str:
    """What is wrong, for a person: a pattern says less than the words that tell what the value is."""
    said = str(error)
    return f"not as expected: {option.help}" if "matching regex" in said else f"{said[0].lower()}{said[1:]}"


class _Setting(msgspec.Struct, frozen=True):
    name: str
    flag: str
    env: str
    type: Any
    option: Option
    default: Any
    is_required: bool


def _settings(struct: type[msgspec.Struct], env_prefix: str) -> Iterator[_Setting]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        hint = hints[field.name]
        inner, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        option = next((extra for extra in extras if isinstance(extra, Option)), Option(""))
        kept = [extra for extra in extras if not isinstance(extra, Option)]
        kind = Annotated[inner, *kept] if kept else inner
        yield _Setting(
            name=field.name,
            flag=option.flag or f"--{field.name.replace('_', '-')}",
            env=option.env or f"{env_prefix}{field.name.upper()}",
            type=kind,
            option=option,
            default=None if field.required else field.default,
            is_required=field.required,
        )


def _parse_flags(argv: Sequence[str], settings: Sequence[_Setting]) -> tuple[Mapping[str, list[str]], list[str]]:
    by_flag = {setting.flag: setting for setting in settings}
    given: defaultdict[str, list[str]] = defaultdict(list)
    mistakes: list[str] = []
    words = iter(argv)
    for word in words:
        flag, has_value, value = word.partition("=")
        setting = by_flag.get(flag)
        if setting is None:
            mistakes.append(f"{flag}: no such option; --help lists them")
        elif has_value:
            given[setting.name].append(value)
        elif setting.type is bool:
            given[setting.name].append("true")
        elif (following := next(words, None)) is None:
            mistakes.append(f"{flag}: a value is missing")
        else:
            given[setting.name].append(following)
    return given, mistakes


def _last(setting: _Setting, words: Sequence[str]) -> str:
    """What counts of a flag that is given several times: all of it for a list, else the last."""
    return ",".join(words) if get_origin(setting.type) is tuple else words[-1]


def _prepared(setting: _Setting, raw: str) -> str | list[str]:
    if get_origin(setting.type) is tuple:
        return [word.strip() for word in raw.split(",") if word.strip()]
    return _unbool(raw) if setting.type is bool else raw


def _unbool(raw: str) -> str:
    return {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(raw.lower(), raw)


def _help(prog: str, struct: type[msgspec.Struct], settings: Sequence[_Setting]) -> str:
    lines = [f"usage: {prog} [options]", "", (struct.__doc__ or "").strip().splitlines()[0], "", "options:"]
    left = max(len(setting.flag) for setting in settings) + 4
    width = max(left + 20, min(_WIDEST, shutil.get_terminal_size((100, 24)).columns))
    for setting in settings:
        default = "" if setting.default in (None, "", False, ()) else f" (default: {setting.default})"
        told = f"{setting.option.help}{default} [{setting.env}]"
        first, *rest = textwrap.wrap(told, width - left, break_long_words=False, break_on_hyphens=False)
        lines.append(f"  {setting.flag:<{left - 4}}  {first}")
        lines += [f"{'':{left}}{line}" for line in rest]
    return "\n".join(lines)
