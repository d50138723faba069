"""The form of an answer that has to be calls: `tool_choice` required or named, in the words of llguidance's Lark.

Only for models that write a call as JSON between two markers. Each tool's arguments are a schema of their own, so that
the references in it keep their meaning.
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


class CallsOnly(Lark, frozen=True, tag="calls"):
    """An answer that is calls and nothing else."""


def calls_of(ask: Ask, dialect: Dialect) -> CallsOnly | None:
    """The form of the answer's calls; None where the model is free to make none.

    Raises:
        Refused: it can't be held to them.

    """
    if ask.offered and ask.form:
        said = "`tools` can't be offered where the answer's form is given: a call has another one."
        raise Refused("unsupported", said, param="tools")
    if not ask.must_call:
        return None
    if not dialect.has_json_calls:
        raise Refused(
            "unsupported", "This model can't be made to call a tool: it takes auto or none.", param="tool_choice"
        )
    if isinstance(ask.tool_choice, NamedTool):
        chosen = [at for at, tool in enumerate(ask.offered) if tool.function.name == ask.tool_choice.function.name]
        start = "start: blanks call\n"
    else:
        chosen = [*range(len(ask.offered))]
        start = "start: blanks call (blanks call)*\n"
    begin, end = dialect.call_markers
    call = f"call: {_terminal(begin)} blanks ({' | '.join(f'call{at}' for at in chosen)}) blanks {_terminal(end)}\n"
    rules = (f"call{at}: {_rule(ask.offered[at], f'tools[{at}].function.parameters')}\n" for at in chosen)
    return CallsOnly(start + call + _BLANKS + "".join(rules))


def _terminal(marker: Marker) -> str:
    return f"<[{marker.ids[0]}]>" if len(marker.ids) == 1 else json.dumps(marker.text)


def _rule(tool: Tool, path: str) -> str:
    head = f'{{"name": "{tool.function.name}", "arguments": '
    return f'{json.dumps(head)} %json {_arguments(tool.function.parameters or {}, path)} "}}"'


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
