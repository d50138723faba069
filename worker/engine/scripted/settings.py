"""The scripted engine's flags."""

import argparse
from collections.abc import Sequence
from typing import Literal, NoReturn

import msgspec

from .faults import Fault, parse_fault
from .vocabulary import DEFAULT_SIZE, PIECES, Words


class UsageError(Exception):
    """The flags can't be served; the message is one line for people."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine behaves, from its flags alone."""

    model: str = "scripted"
    slots: int = 16
    context_tokens: int = 8_192
    step_ms: float = 5.0
    prefill_ms_per_token: float = 0.0
    prefill_chunk_ms: float = 0.0  # 0: a chunk is 512 tokens, however long that takes
    prompt_cache_tokens: int = 0  # 0: every prompt is read from its beginning
    load_ms: float = 0.0
    vocabulary: int = DEFAULT_SIZE
    words: Words = "plain"
    eos_every: int | None = None  # None: every generation runs to its limit or a stop string
    pressure: Literal["", "soft", "hard"] = ""
    fault: Fault | None = None
    refuses: str = ""

    @property
    def prefill_tokens_per_second(self) -> float:
        """Return how fast prompts are read; 0 where that takes no time, as for an engine that has read none."""
        return 1_000 / self.prefill_ms_per_token if self.prefill_ms_per_token else 0.0

    @property
    def fingerprint(self) -> str:
        """Return what two scripted engines must share to give the same answers."""
        words = "" if self.words == "plain" else f"-{self.words}"
        return f"scripted-{self.vocabulary}-{self.eos_every or 'endless'}{words}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


def read_settings(argv: Sequence[str]) -> Settings:
    """Read the flags, or raise `UsageError`."""
    parser = _Parser(prog="python -m worker.engine.scripted", description=__doc__, allow_abbrev=False)
    parser.add_argument("--model", default="scripted", help="the name that `ready` gives")
    parser.add_argument("--slots", type=_whole(1, 4_096), default=16)
    parser.add_argument("--context-tokens", "--context", type=_whole(1, 10_000_000), default=8_192)
    parser.add_argument("--step-ms", type=_milliseconds, default=5.0, help="0: as fast as it goes")
    parser.add_argument("--prefill-ms-per-token", type=_milliseconds, default=0.0)
    parser.add_argument("--prefill-chunk-ms", type=_milliseconds, default=0.0, help="the longest (default: 512 tokens)")
    parser.add_argument(
        "--prompt-cache-tokens",
        type=_whole(0, 1_000_000_000),
        default=0,
        help="how much of what it served before needs no prefill, told by the requests' `prefixes`",
    )
    parser.add_argument("--load-ms", type=_milliseconds, default=0.0)
    least = max(map(len, PIECES.values())) + 1
    parser.add_argument("--vocabulary", type=_whole(least, 1_000_000), default=DEFAULT_SIZE, metavar="IDS")
    parser.add_argument("--words", choices=tuple(PIECES), default="plain", help="hostile: all that breaks readers")
    parser.add_argument(
        "--eos-every", type=_whole(1, 1_000_000), help="end a turn at one id in so many (default: never)"
    )
    parser.add_argument("--pressure", choices=("soft", "hard"), default="", help="how short of memory it says it is")
    parser.add_argument(
        "--fault", type=_fault, metavar="KIND@STEP", help="hang, crash, oom or garbage; step 0 is while loading"
    )
    parser.add_argument("--refuses", default="", metavar="MODEL", help="a model that can't be loaded: exit code 2")
    settings = msgspec.convert(vars(parser.parse_args(argv)), Settings)
    if settings.refuses and settings.model == settings.refuses:
        raise UsageError(f"{settings.model} can't be loaded, as told")
    return settings


def _whole(low: int, high: int):  # noqa: ANN202 - argparse's converters have no name in typing
    def convert(text: str) -> int:
        if not (text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return convert


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3_600_000:  # also refuses nan
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds from 0 to an hour")
    return value


def _fault(text: str) -> Fault:
    try:
        return parse_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
