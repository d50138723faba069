"""The tools that a request offers, and which of them may or must be called. Functions only: nothing else runs here."""

from collections.abc import Sequence

from shared.errors import Refused
from shared.tools import Function, Named, NamedTool, Tool, ToolChoice

from .request import AllowedChoice, FlatTool, NamedChoice, ResponseRequest


def offers_of(request: ResponseRequest) -> tuple[list[Tool], ToolChoice | None]:
    """The tools, those left out that may not be called, and the choice among them.

    Raises:
        Refused: a tool is no function, or the choice can't be held to.

    """
    tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(request.tools or ())]
    choice: ToolChoice | None
    match request.tool_choice:
        case AllowedChoice(mode=mode):
            tools, choice = _allowed(tools, request.tool_choice), mode
        case NamedChoice(name=name):
            choice = NamedTool("function", Named(name))
        case choice:
            pass
    return tools, choice if tools or choice not in ("auto", "none") else None


def _tool(tool: FlatTool, path: str) -> Tool:
    if tool.type != "function":
        raise Refused("unsupported", f"There are functions only, no {tool.type!r}.", param=f"{path}.type")
    if tool.name is None:
        raise Refused("missing_field", f"`{path}.name` is missing.", param=f"{path}.name")
    return Tool("function", Function(tool.name, tool.description, tool.parameters, tool.strict))


def _allowed(tools: Sequence[Tool], choice: AllowedChoice) -> list[Tool]:
    names = {tool.name for tool in choice.tools}
    if unknown := names - {tool.function.name for tool in tools}:
        raise Refused("invalid_value", f"No tool is named {min(unknown)}.", param="tool_choice.tools")
    return [tool for tool in tools if tool.function.name in names]
