"""Calls on command: `[[call@5]]` in a prompt has the answer call the first tool on offer together with its 5th id.

Ids of earlier attempts are counted, so every attempt makes the same calls. The text goes on as if nothing were called.
"""

import hashlib
import re
from collections.abc import Mapping

from shared.event import ToolCall
from shared.job import Ask

from .prompt import Prompt

_CALL_IN_PROMPT = re.compile(r"\[\[call@([0-9]{1,9})\]\]")
_ID_LENGTH = 9


def calls_in(ask: Ask, prompt: Prompt) -> Mapping[int, ToolCall]:
    """The calls of an answer, each by the number of the id that it comes with; only the first where there may be one.

    None has arguments, and the same prompt gives the same calls.
    """
    if not ask.offered:
        return {}
    places = sorted({int(match[1]) for match in _CALL_IN_PROMPT.finditer(prompt.text)})
    name = ask.offered[0].function.name
    return {
        place: ToolCall(index, _id_of(prompt, index), name, "{}")
        for index, place in enumerate(places[: 1 if ask.has_one_call else None])
    }


def _id_of(prompt: Prompt, index: int) -> str:
    return hashlib.blake2b(b"%d/%b" % (index, prompt.canonical)).hexdigest()[:_ID_LENGTH]
