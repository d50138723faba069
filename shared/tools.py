"""Tools: the functions that a job offers to the model, and the calls that earlier turns made, in OpenAI's words.

Plain data and its checks; what a model makes of them is the engine's business.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .errors import Refused
from .grammar import MAX_SCHEMA_DEPTH, depths

MAX_TOOLS = 128
MAX_TOOLS_BYTES = 256 << 10
# Of a call, which comes back in a conversation: what a model makes of names is not bounded by those it was told.
MAX_NAME_CHARACTERS = 256
MAX_ID_CHARACTERS = 128

# As long as Anthropic's clients have them; the dot is what servers of tools put behind their own name.
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class Function(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A function: what it is for, and the JSON Schema of its arguments, which a `strict` one's are valid against."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that the model may call; there is only one type of it."""

    type: Literal["function"]
    function: Function


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function by its name."""

    name: Name


class NamedTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one tool that has to be called."""

    type: Literal["function"]
    function: Named


ToolChoice = Literal["auto", "none", "required"] | NamedTool


class CalledFunction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function's name and its arguments: a JSON object, as text."""

    name: Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
    arguments: str


class PastCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that an earlier turn of the assistant made; `id` is what the tool's answer names."""

    id: Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]
    type: Literal["function"]
    function: CalledFunction


def arguments_in(call: PastCall, path: str) -> dict[str, Any]:
    """The call's arguments as templates want them; `Refused` names `path`. No text at all stands for no arguments."""
    try:
        arguments = msgspec.json.decode(call.function.arguments or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refused(
            "invalid_value", f"`{path}` is the text of a JSON object: {error}.", param=f"{path}.function.arguments"
        ) from error
    if _is_too_deep(arguments):
        said = f"The arguments are nested deeper than {MAX_SCHEMA_DEPTH} levels."
        raise Refused("invalid_value", said, param=f"{path}.function.arguments")
    return arguments


def _is_too_deep(value: dict[str, Any]) -> bool:
    """Templates and parsers recurse, and what ends their stack ends the engine."""
    return any(depth > MAX_SCHEMA_DEPTH for depth in depths(value))


def check_tools(tools: Sequence[Tool], choice: ToolChoice | None) -> None:
    """Raise `Refused` for two tools of one name, too many bytes of them, and a choice that can't be made."""
    for at, tool in enumerate(tools):
        if tool.function.parameters and _is_too_deep(tool.function.parameters):
            said = f"`parameters` are nested deeper than {MAX_SCHEMA_DEPTH} levels."
            raise Refused("invalid_value", said, param=f"tools[{at}].function.parameters")
    names = [tool.function.name for tool in tools]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise Refused("invalid_value", f"Two tools are named {name}.", param=f"tools[{at}].function.name")
    if tools and (size := len(msgspec.json.encode(tools))) > MAX_TOOLS_BYTES:
        raise Refused("invalid_value", f"`tools` has {size} bytes of {MAX_TOOLS_BYTES}.", param="tools")
    if isinstance(choice, NamedTool) and choice.function.name not in names:
        raise Refused("invalid_value", f"No tool is named {choice.function.name}.", param="tool_choice")
    if choice == "required" and not tools:
        raise Refused("invalid_value", "`tool_choice` required needs `tools`.", param="tool_choice")
