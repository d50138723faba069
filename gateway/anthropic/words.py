"""What a job calls otherwise than this API, where somebody finds fault with it."""

import re

from shared.errors import PoolError

_WORDS = (
    (re.compile(r"^(tools\[\d+\])\.function\.parameters"), r"\1.input_schema"),
    (re.compile(r"^(tools\[\d+\])\.function"), r"\1"),
    (re.compile(r"^response_format(\.json_schema)?"), "output_config.format"),
    (re.compile(r"^messages\b.*"), "messages"),  # a job's are counted otherwise: turns are joined, results are parted
    (re.compile(r"^stop\b"), "stop_sequences"),
)


def in_their_words(error: PoolError) -> PoolError:
    """The same error of a job, about the field as this API calls it."""
    param = error.param or ""
    for pattern, theirs in _WORDS:
        param = pattern.sub(theirs, param)
    if error.param and param != error.param:
        error.message = error.message.replace(f"`{error.param}`", f"`{param}`")
        error.param = param
    return error
