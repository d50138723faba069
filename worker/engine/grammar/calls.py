"""The form of an answer's calls, in the words of llguidance's Lark: `tool_choice` required or named, and strict tools.

Only for models that write a call as JSON between two markers. Each tool's arguments are a schema of their own, so that
the references in it keep their meaning. An answer that has to call is calls and nothing else; one that may call is any
text, and held to the form from a call's first marker to its last.
"""

import json
from typing import Any

from shared.errors import Refused
from shared.grammar import Lark
from shared.job import Ask
from shared.tools import NamedTool, Tool
from worker.engine.text.dialect import Dialect, Marker

from .library import JSON_OPTIONS
from .schema import SCHEMA_FIELD, check_schema

_BLANKS = "blanks: /[ \\n]{1,2}/ |\n"
_TEXT = "TEXT: /(.|\\n)*/\n"


class HeldCalls(Lark, frozen=True, tag="calls"):
    """An answer whose calls are those of the tools."""


def calls_of(ask: Ask, dialect: Dialect) -> HeldCalls | None:
    """The form of the answer's calls; None where the model is free to make them as it likes.

    Raises:
        Refused: it can't be held to them.

    """
    if ask.offered and ask.form:
        said = "`tools` can't be offered where the answer's form is given: a call has another one."
        raise Refused("unsupported", said, param="tools")
    if ask.must_call:
        if not dialect.has_json_calls:
            raise Refused(
                "unsupported", "This model can't be made to call a tool: it takes auto or none.", param="tool_choice"
            )
        return HeldCalls(_calls_alone(ask, dialect.call_markers[0]) + _bodies(ask, dialect.call_markers[1]))
    if ask.has_strict_calls and dialect.has_json_calls:
        return HeldCalls(_calls_in_text(ask, dialect.call_markers[0]) + _bodies(ask, dialect.call_markers[1]))
    return None


def _calls_alone(ask: Ask, begin: Marker) -> str:
    start = "start: blanks call\n" if ask.has_one_call else "start: blanks call (blanks call)*\n"
    return f"{start}call: {_terminal(begin)} body\n"


def _calls_in_text(ask: Ask, begin: Marker) -> str:
    """Text up to a marker and no further, be that an id of its own or spelled; then the rest of a call."""
    start = "start: TEXT | call\n" if ask.has_one_call else "start: call* TEXT\n"
    ways = ["spelled", f"TEXT {_terminal(begin)}"] if len(begin.ids) == 1 else ["spelled"]
    return f"{start}call: ({' | '.join(ways)}) body\nspelled[lazy]: TEXT {json.dumps(begin.text)}\n{_TEXT}"


def _bodies(ask: Ask, end: Marker) -> str:
    """What stands behind a call's first marker, the last one included."""
    chosen = [at for at, tool in enumerate(ask.offered) if _may_be_called(tool, ask)]
    body = f"body: blanks ({' | '.join(f'call{at}' for at in chosen)}) blanks {_terminal(end)}\n"
    return body + _BLANKS + "".join(f"call{at}: {_rule(ask, at)}\n" for at in chosen)


def _may_be_called(tool: Tool, ask: Ask) -> bool:
    return not isinstance(ask.tool_choice, NamedTool) or tool.function.name == ask.tool_choice.function.name


def _terminal(marker: Marker) -> str:
    return f"<[{marker.ids[0]}]>" if len(marker.ids) == 1 else json.dumps(marker.text)


def _rule(ask: Ask, at: int) -> str:
    function = ask.offered[at].function
    parameters = (function.parameters or {}) if ask.must_call or function.strict else {}
    head = f'{{"name": "{function.name}", "arguments": '
    return f'{json.dumps(head)} %json {_arguments(parameters, f"tools[{at}].function.parameters")} "}}"'


def _arguments(parameters: dict[str, Any], path: str) -> str:
    try:
        check_schema(parameters)
    except Refused as refused:
        refused.param = (refused.param or "").replace(SCHEMA_FIELD, path) or path
        raise
    if parameters.get("type", "object") != "object":
        raise Refused("invalid_value", f"`{path}` is a schema of objects.", param=path)
    schema = parameters | {"type": "object", "x-guidance": JSON_OPTIONS}
    # The grammar is searched for the sign, which may stand in a description too.
    return json.dumps(schema).replace("%", "\\u0025")
