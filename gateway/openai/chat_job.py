"""A chat request as a job: OpenAI's many ways to say a thing become the pool's one."""

from collections.abc import Sequence

from gateway.effort import EFFORTS
from shared.errors import Refused
from shared.job import Job, Message, TemplateKwargs, check_ask
from shared.tools import CalledFunction, Function, Named, NamedTool, PastCall, Tool, ToolChoice

from .chat_request import AllowedChoice, AllowedTools, CallParam, ChatRequest, MessageParam, Part, ToolParam
from .sampling import sampled

# Without a number OpenAI's models go on up to the context. An engine sets memory aside for every token that may come,
# so where a request names none that would be most of a machine for each answer.
DEFAULT_MAX_TOKENS = 8_192


def chat_job(request: ChatRequest) -> Job:
    """The job that gives one answer.

    Raises:
        Refused: it asks for what can't be done; `param` is the field's path in the request.

    """
    tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(request.tools or ())]
    tools, choice = _chosen(tools, request)
    _check(request)
    job = Job(
        messages=[_message(message, f"messages[{at}]") for at, message in enumerate(request.messages)],
        tools=tools or None,
        tool_choice=choice if tools or choice not in ("auto", "none") else None,
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=request.response_format,
        logprobs=request.top_logprobs or 0 if request.logprobs else None,
        template_kwargs=_template_kwargs(request),
    )
    job = sampled(job, request, max_tokens=_max_tokens(request))
    check_ask(job)
    return job


def _check(request: ChatRequest) -> None:
    if request.top_logprobs is not None and not request.logprobs:
        raise Refused("invalid_value", "`top_logprobs` needs `logprobs`.", param="top_logprobs")
    if set(request.modalities or ["text"]) != {"text"}:
        raise Refused("unsupported", "The only modality is text.", param="modalities")


def _max_tokens(request: ChatRequest) -> int:
    asked = request.max_completion_tokens or request.max_tokens
    return asked or max(DEFAULT_MAX_TOKENS, request.min_tokens)


def _message(message: MessageParam, path: str) -> Message:
    if message.role == "function" or message.function_call is not None:
        raise Refused("unsupported", "Functions are told of as `tool_calls` and role tool.", param=path)
    if message.audio is not None:
        raise Refused("unsupported", "The models here read text.", param=f"{path}.audio")
    content = _text(message.content, f"{path}.content")
    calls = [_call(call, f"{path}.tool_calls[{at}]") for at, call in enumerate(message.tool_calls or ())]
    return Message(
        role="system" if message.role == "developer" else message.role,
        content=message.refusal if content is None else content,
        name=message.name or None,
        tool_calls=calls or None,
        tool_call_id=message.tool_call_id,
    )


def _text(content: str | Sequence[Part] | None, path: str) -> str | None:
    if content is None or isinstance(content, str):
        return content
    return "\n".join(_piece(part, f"{path}[{at}]") for at, part in enumerate(content))


def _piece(part: Part, path: str) -> str:
    text = {"text": part.text, "refusal": part.refusal}.get(part.type)
    if text is None and part.type in {"text", "refusal"}:
        raise Refused("missing_field", f"`{path}.{part.type}` is missing.", param=f"{path}.{part.type}")
    if text is None:
        raise Refused("unsupported", f"The models here read text, no {part.type!r}.", param=path)
    return text


def _call(call: CallParam, path: str) -> PastCall:
    if call.function is None:
        raise Refused("unsupported", "Only functions are called here.", param=path)
    return PastCall(call.id, "function", CalledFunction(call.function.name, call.function.arguments))


def _tool(tool: ToolParam, path: str) -> Tool:
    if tool.type != "function":
        raise Refused("unsupported", f"There are functions only, no {tool.type!r}.", param=f"{path}.type")
    if tool.function is None:
        raise Refused("missing_field", f"`{path}.function` is missing.", param=f"{path}.function")
    told = tool.function
    return Tool("function", Function(told.name, told.description, told.parameters, told.strict))


def _chosen(tools: list[Tool], request: ChatRequest) -> tuple[list[Tool], ToolChoice | None]:
    match request.tool_choice:
        case None | "auto" | "none" | "required" as choice:
            return tools, choice
        case AllowedChoice(allowed_tools=allowed):
            return _allowed(tools, allowed), allowed.mode
        case named:
            return tools, NamedTool("function", Named(named.function.name))


def _allowed(tools: Sequence[Tool], allowed: AllowedTools) -> list[Tool]:
    names = {tool.function.name for tool in allowed.tools}
    if unknown := names - {tool.function.name for tool in tools}:
        raise Refused("invalid_value", f"No tool is named {min(unknown)}.", param="tool_choice.allowed_tools.tools")
    return [tool for tool in tools if tool.function.name in names]


def _template_kwargs(request: ChatRequest) -> TemplateKwargs | None:
    effort, told = request.reasoning_effort, request.chat_template_kwargs or TemplateKwargs()
    if effort is None:
        return request.chat_template_kwargs
    if effort == "none":
        return TemplateKwargs(bool(told.enable_thinking), told.reasoning_effort)
    return TemplateKwargs(told.enable_thinking, told.reasoning_effort or EFFORTS[effort])
