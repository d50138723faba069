"""Tools in Anthropic's words as the pool's."""

from collections.abc import Sequence

from shared.errors import Refused
from shared.tools import Function, Named, NamedTool, Tool
from shared.tools import ToolChoice as PoolChoice

from .request import AnyChoice, NamedChoice, NoChoice, ToolChoice, ToolParam

_CUSTOM = "custom"


def tools_of(params: Sequence[ToolParam]) -> list[Tool]:
    """The tools.

    Raises:
        Refused: one is not the client's own, or lacks its name or its schema.

    """
    return [_tool(param, f"tools[{at}]") for at, param in enumerate(params)]


def choice_of(choice: ToolChoice | None, *, has_tools: bool) -> PoolChoice | None:
    """What the model has to do with the tools.

    Raises:
        Refused: at most one call is asked for where nothing could hold the model to that.

    """
    match choice:
        case None:
            return None
        case NamedChoice():
            return NamedTool("function", Named(choice.name))
        case NoChoice():
            return "none" if has_tools else None
        case _:
            if choice.disable_parallel_tool_use and has_tools:
                path = "tool_choice.disable_parallel_tool_use"
                said = "only a tool that `tool_choice` names is sure to be called once"
                raise Refused("unsupported", f"`{path}` is not supported: {said}.", param=path)
            return "required" if isinstance(choice, AnyChoice) else None


def _tool(param: ToolParam, path: str) -> Tool:
    if param.type not in (None, _CUSTOM):
        said = f"`{path}.type`: tools of type {param.type!r} are not supported, only the client's own."
        raise Refused("unsupported", said, param=f"{path}.type")
    if param.name is None:
        raise _missing(f"{path}.name")
    if param.input_schema is None:
        raise _missing(f"{path}.input_schema")
    return Tool("function", Function(param.name, param.description, param.input_schema))


def _missing(path: str) -> Refused:
    return Refused("missing_field", f"`{path}` is missing.", param=path)
