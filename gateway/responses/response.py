"""A response as OpenAI's clients see it: what was asked for, and what has come of it so far."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from shared.event import Usage
from shared.grammar import AnyText

from .items import OutputItem
from .request import Choice, FlatTool, Reasoning, ResponseRequest, TextConfig

PREFIX = "resp_"
Status = Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]


class ReasoningEcho(Reasoning, frozen=True):
    """How much was to be thought; nothing is summed up."""

    summary: None = None


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """What a response repeats of its request."""

    model: str
    background: bool
    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    previous_response_id: str | None
    reasoning: ReasoningEcho
    store: bool
    temperature: float
    text: TextConfig
    tool_choice: Choice
    tools: list[FlatTool]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled", "auto"]


class InputTokensDetails(msgspec.Struct, frozen=True):
    """Of the prompt's tokens, those that needed no prefill."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True):
    """Of the answer's tokens, those that came with thoughts."""

    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, frozen=True):
    """Token counts; the numbers are the engine's own."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class IncompleteDetails(msgspec.Struct, frozen=True):
    """Why an answer is not whole."""

    reason: Literal["max_output_tokens"]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How far a response has come; of one that has not ended, `status` alone."""

    status: Status
    error: dict[str, str | None] | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: ResponseUsage | None = None


class Response(Echo, frozen=True, kw_only=True, tag_field="object", tag="response"):
    """All of it."""

    id: str
    created_at: int
    status: Status
    error: dict[str, str | None] | None
    incomplete_details: IncompleteDetails | None
    output: list[OutputItem]
    usage: ResponseUsage | None
    service_tier: Literal["default"] = "default"
    warnings: list[str] | UnsetType = UNSET


class Opening(msgspec.Struct, frozen=True):
    """What is known of a response before its job has said anything."""

    job_id: str
    created_at: int
    echo: Echo

    @property
    def id(self) -> str:
        """The response's name."""
        return PREFIX + self.job_id

    def so_far(self, outcome: Outcome, output: list[OutputItem], warnings: list[str]) -> Response:
        """The response as it stands."""
        told: dict[str, Any] = msgspec.structs.asdict(self.echo) | msgspec.structs.asdict(outcome)
        return Response(id=self.id, created_at=self.created_at, output=output, warnings=warnings or UNSET, **told)


def echo_of(request: ResponseRequest, model: str) -> Echo:
    """What the response will repeat; `model` is the one that is meant where none was named."""
    return Echo(
        model=request.model or model,
        background=request.background,
        instructions=request.instructions,
        max_output_tokens=request.max_output_tokens,
        metadata=request.metadata or {},
        parallel_tool_calls=request.parallel_tool_calls,
        previous_response_id=request.previous_response_id,
        reasoning=ReasoningEcho(request.reasoning.effort if request.reasoning else None),
        store=request.store,
        temperature=request.temperature,
        text=_text_of(request),
        tool_choice=request.tool_choice or "auto",
        tools=request.tools or [],
        top_logprobs=request.top_logprobs or 0,
        top_p=request.top_p,
        truncation=request.truncation,
    )


def usage_of(usage: Usage, *, reasoning_tokens: int) -> ResponseUsage:
    """The counts in this API's words."""
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(min(reasoning_tokens, usage.completion_tokens)),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def _text_of(request: ResponseRequest) -> TextConfig:
    return request.text if request.text and request.text.format else TextConfig(AnyText())
