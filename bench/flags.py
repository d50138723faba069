"""A measurement's flags: every one a word, or words with commas between, read into the types of a frozen struct."""

import argparse
from collections.abc import Mapping, Sequence
from typing import TypeVar, get_origin

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def read_flags(parser: argparse.ArgumentParser, kind: type[T], argv: Sequence[str]) -> T:
    """Read flags whose fields are those of `kind`; ends the process with a line of help where one is wrong."""
    given: Mapping[str, str] = vars(parser.parse_args(argv))
    lists = {field.name for field in msgspec.structs.fields(kind) if get_origin(field.type) is list}
    words = {name: value.split(",") if name in lists else value for name, value in given.items()}
    try:
        return msgspec.convert(words, kind, strict=False)
    except msgspec.ValidationError as error:
        parser.error(str(error))
