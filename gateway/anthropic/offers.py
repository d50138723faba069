"""Tools in Anthropic's words as the pool's."""

from collections.abc import Sequence

from shared.errors import Refused
from shared.tools import Function, Named, NamedTool, Tool
from shared.tools import ToolChoice as PoolChoice

from .request import AnyChoice, AutoChoice, NamedChoice, NoChoice, ToolChoice, ToolParam

_CUSTOM = "custom"


def tools_of(params: Sequence[ToolParam]) -> list[Tool]:
    """The tools.

    Raises:
        Refused: one is not the client's own, or lacks its name or its schema.

    """
    return [_tool(param, f"tools[{at}]") for at, param in enumerate(params)]


def choice_of(choice: ToolChoice | None, *, has_tools: bool) -> PoolChoice | None:
    """What the model has to do with the tools."""
    match choice:
        case None:
            return None
        case NamedChoice():
            return NamedTool("function", Named(choice.name))
        case NoChoice():
            return "none" if has_tools else None
        case AnyChoice():
            return "required"
        case AutoChoice():
            return None


def may_call_again(choice: ToolChoice | None) -> bool:
    """Whether an answer may go on behind its first call."""
    return choice is None or isinstance(choice, NoChoice) or not choice.disable_parallel_tool_use


def _tool(param: ToolParam, path: str) -> Tool:
    if param.type not in (None, _CUSTOM):
        said = f"`{path}.type`: tools of type {param.type!r} are not supported, only the client's own."
        raise Refused("unsupported", said, param=f"{path}.type")
    if param.name is None:
        raise _missing(f"{path}.name")
    if param.input_schema is None:
        raise _missing(f"{path}.input_schema")
    return Tool("function", Function(param.name, param.description, param.input_schema, param.strict))


def _missing(path: str) -> Refused:
    return Refused("missing_field", f"`{path}` is missing.", param=path)
