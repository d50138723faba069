"""A request in Anthropic's words as a job. Pure."""

from typing import NamedTuple

import msgspec

from gateway.effort import EFFORTS
from shared.errors import Refused
from shared.grammar import JsonSchema, Schema
from shared.job import Job, TemplateKwargs, check_ask
from shared.outline import CachePoint

from .conversation import conversation_of
from .offers import choice_of, may_call_again, tools_of
from .request import Asked, Format, Prompted, ThinkingAdaptive, ThinkingEnabled
from .words import in_their_words

_NO_PENALTY = 1.0
_SMALLEST_NUCLEUS = 1e-6  # the likeliest token alone, as with the 0 that Anthropic allows
_SCHEMA_NAME = "output"  # Anthropic's schemas have none


class Translated(NamedTuple):
    """A request as a job, and the places in its conversation that the client marked."""

    job: Job
    cache_points: list[CachePoint]


def answer_job(request: Asked) -> Translated:
    """The job that answers a request.

    Raises:
        Refused: it asks for what can't be done.

    """
    last = request.messages[-1]
    if last.role == "assistant":
        path = f"messages[{len(request.messages) - 1}]"
        said = f"`{path}`: the answer can't be begun for the model (prefill); the last message must be the user's."
        raise Refused("unsupported", said, param=path)
    told = _told(request)
    job = msgspec.structs.replace(
        told.job,
        max_tokens=request.max_tokens,
        temperature=request.temperature,
        top_p=max(request.top_p, _SMALLEST_NUCLEUS),
        top_k=request.top_k,
        stop=request.stop_sequences or None,
    )
    return told._replace(job=job)


def count_job(request: Prompted) -> Job:
    """The job that counts a request's tokens."""
    return msgspec.structs.replace(_told(request).job, kind="count")


def _told(request: Prompted) -> Translated:
    tools = tools_of(request.tools or [])
    has_marked_tools = any(tool.cache_control for tool in request.tools or [])
    messages, cache_points = conversation_of(request.system, request.messages, has_marked_tools=has_marked_tools)
    job = Job(
        model=request.model,
        messages=messages,
        tools=tools or None,
        tool_choice=choice_of(request.tool_choice, has_tools=bool(tools)),
        parallel_tool_calls=may_call_again(request.tool_choice),
        template_kwargs=_template_kwargs(request),
        response_format=_response_format(request),
        repeat_penalty=_NO_PENALTY,
    )
    try:
        check_ask(job)
    except Refused as refused:
        raise in_their_words(refused) from None
    return Translated(job, cache_points)


def _template_kwargs(request: Prompted) -> TemplateKwargs:
    # Who does not ask for thoughts expects none: such clients read the first block as the answer.
    is_thinking = isinstance(request.thinking, (ThinkingEnabled, ThinkingAdaptive))
    effort = request.output_config.effort if request.output_config else None
    return TemplateKwargs(is_thinking, EFFORTS[effort] if effort else None)


def _response_format(request: Prompted) -> JsonSchema | None:
    formats = [request.output_config.format if request.output_config else None, request.output_format]
    given: list[Format] = [each for each in formats if each]
    if len(given) > 1:
        said = "Only one of `output_config.format` and `output_format` may be given."
        raise Refused("invalid_value", said, param="output_format")
    return JsonSchema(Schema(name=_SCHEMA_NAME, schema=given[0].schema)) if given else None
