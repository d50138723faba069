"""What is to be kept running, taken apart: the command line that anybody may see, and what only the part may."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from mlx_pool.failure import Unusable
from mlx_pool.up.part import STOP_LIMITS_S
from mlx_pool.where import known_redis_url

Scope = Literal["user", "system"]
PartName = Literal["worker", "gateway", "up"]
PARTS: tuple[PartName, ...] = get_args(PartName)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
# Flags whose value is a secret, and the variables by which a part is told of it instead.
_SECRET_FLAGS = {"--redis": "MLX_POOL_REDIS_URL", "--api-key": "MLX_POOL_API_KEY"}
# What the part would have here, it has there.
_PREFIXES = ("MLX_POOL_", "MLX_MODEL_PATH", "HF_", "OTEL_")
_DRAIN_S = 30.0  # of workers and gateways, unless they are told otherwise
_BEYOND_S = 15.0  # for handing over, saying good-bye to streams, and the engine's end


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """A service: `argv` is the part's own flags, without secrets, which are in `env`."""

    name: str
    part: PartName
    argv: tuple[str, ...]
    env: Mapping[str, str]
    folder: str  # where it runs: file names in its flags are meant from here

    @property
    def stop_limit_s(self) -> int:
        """How long it may take to end by itself: longer than it drains."""
        if self.part == "up":
            return int(sum(STOP_LIMITS_S.values()) + _BEYOND_S)
        return int(_number(self.argv, "--drain-s", _DRAIN_S) + _BEYOND_S)


def wanted(part: str | None, argv: Sequence[str], name: str | None, env: Mapping[str, str]) -> Want:
    """Make out what is to be kept running.

    Raises:
        Unusable: there is no such part, or it would not find the queue.

    """
    if part is None:
        raise Unusable("What is to run? `mlx-pool service install worker --model NAME --redis URL`, or gateway, or up.")
    chosen = part_of(part)
    flags, secrets = without_secrets(argv)
    variables = kept_env(env) | secrets
    if chosen != "up" and "MLX_POOL_REDIS_URL" not in variables:
        # The queue of this machine's `up` has the same address at each start.
        found = known_redis_url(env)
        if found is None:
            raise Unusable(f"Which queue? Give the {chosen} its address with --redis URL.")
        variables["MLX_POOL_REDIS_URL"] = found
    return Want(name=check_name(name or chosen), part=chosen, argv=flags, env=variables, folder=str(Path.cwd()))


def check_name(name: str) -> str:
    """Give the name, which becomes part of file names.

    Raises:
        Unusable: it can't.

    """
    if not _NAME.fullmatch(name):
        raise Unusable(f"--name {name}: expected 1 to 40 of A-Z a-z 0-9 _ -.")
    return name


def part_of(word: str) -> PartName:
    """Give the part of this name.

    Raises:
        Unusable: it is none that can be a service.

    """
    for part in PARTS:
        if word == part:
            return part
    raise Unusable(f"`{word}` can't be a service: {', '.join(PARTS)} can.")


def without_secrets(argv: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Part flags from secrets: what remains of the flags, and the variables that say the rest.

    Raises:
        Unusable: such a flag has no value.

    """
    kept: list[str] = []
    told: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        flag, has_value, value = word.partition("=")
        if flag not in _SECRET_FLAGS:
            kept.append(word)
            continue
        following = value if has_value else next(words, None)
        if following is None:
            raise Unusable(f"{flag}: a value is missing.")
        told[_SECRET_FLAGS[flag]] = following
    return tuple(kept), told


def kept_env(env: Mapping[str, str]) -> dict[str, str]:
    """Choose of an environment what parts of the pool, and the libraries that fetch models, look at."""
    return {name: value for name, value in sorted(env.items()) if name.startswith(_PREFIXES)}


def _number(argv: Sequence[str], flag: str, default: float) -> float:
    try:
        return max((float(value) for value in _values(argv, flag)), default=default)
    except ValueError:
        return default  # the part itself will say what is wrong with it


def _values(argv: Sequence[str], flag: str) -> Iterator[str]:
    for at, word in enumerate(argv):
        name, has_value, value = word.partition("=")
        if name == flag:
            yield value if has_value else "".join(argv[at + 1 : at + 2])
