"""A request as a job: OpenAI's many ways to say a thing become the pool's one, and back where a job is found wrong."""

import re
from collections.abc import Sequence

from gateway.effort import EFFORTS
from gateway.openai.chat_job import DEFAULT_MAX_TOKENS
from gateway.openai.sampling import sampled
from shared.errors import PoolError, Refused
from shared.grammar import JsonSchema, ResponseFormat, Schema
from shared.job import Job, TemplateKwargs, check_ask

from .conversation import conversation_of
from .input_item import InputItem
from .offers import offers_of
from .request import ResponseRequest, SchemaFormat

WITH_LOGPROBS = "message.output_text.logprobs"
# What a job calls otherwise than this API, where somebody finds fault with it.
_THEIR_WORDS = (
    (re.compile(r"^response_format(\.json_schema)?"), "text.format"),
    (re.compile(r"^(tools\[\d+\])\.function"), r"\1"),
    (re.compile(r"^(messages|tokens|prompt)\b.*"), "input"),
    (re.compile(r"^max_tokens$"), "max_output_tokens"),
    (re.compile(r"^logprobs$"), "top_logprobs"),
)


def response_job(request: ResponseRequest, history: Sequence[InputItem], own: Sequence[InputItem]) -> Job:
    """The job that gives the answer.

    Raises:
        Refused: it asks for what can't be done; `param` is the field's path in the request.

    """
    _check(request)
    tools, choice = offers_of(request)
    job = Job(
        messages=conversation_of(request.instructions, history, own),
        tools=tools or None,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls,
        response_format=_response_format(request),
        logprobs=_logprobs(request),
        template_kwargs=_template_kwargs(request),
        background=request.background,
    )
    most = request.max_output_tokens or max(DEFAULT_MAX_TOKENS, request.min_tokens)
    job = sampled(job, request, max_tokens=most)
    try:
        check_ask(job)
    except Refused as refused:
        raise in_their_words(refused) from None
    return job


def in_their_words(error: PoolError) -> PoolError:
    """The same error, about the field as this API calls it."""
    if error.param is not None:
        error.param = _in_theirs(error.param)
    return error


def _in_theirs(param: str) -> str:
    for pattern, theirs in _THEIR_WORDS:
        param = pattern.sub(theirs, param)
    return param


def _check(request: ResponseRequest) -> None:
    if request.truncation != "disabled":
        raise Refused("unsupported", "Nothing is left out of a conversation here.", param="truncation")
    if request.background and not request.store:
        raise Refused("invalid_value", "A response in the background has to be stored.", param="store")


def _response_format(request: ResponseRequest) -> ResponseFormat | None:
    form = request.text.format if request.text else None
    if not isinstance(form, SchemaFormat):
        return form
    schema = Schema(name=form.name, schema=form.schema, description=form.description, strict=form.strict)
    return JsonSchema(schema)


def _logprobs(request: ResponseRequest) -> int | None:
    is_wanted = request.top_logprobs or WITH_LOGPROBS in (request.include or ())
    return request.top_logprobs or 0 if is_wanted else None


def _template_kwargs(request: ResponseRequest) -> TemplateKwargs | None:
    effort = request.reasoning.effort if request.reasoning else None
    if effort is None:
        return None
    return (
        TemplateKwargs(enable_thinking=False) if effort == "none" else TemplateKwargs(reasoning_effort=EFFORTS[effort])
    )
