"""How to sample, and how to deliver: what requests of both kinds share, with OpenAI's own defaults.

Bounds are the job's. A field that is null never arrives here: it is as if it were absent.
"""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from shared.job import Job, TokenIdText

_MAX_SEED = 2**63 - 1
_WINDOW = 4_096  # as much of the text as penalties can look at: OpenAI's look at all of it
_SMALLEST_NUCLEUS = 1e-6  # the likeliest token alone, as with the 0 that OpenAI allows

StopText = Annotated[str, Meta(min_length=1, max_length=256)]
MaxTokens = Annotated[int, Meta(ge=1, le=1_000_000)]
Bias = Annotated[float, Meta(ge=-100, le=100)]


class StreamOptions(msgspec.Struct, frozen=True):
    """What a stream tells besides."""

    include_usage: bool | None = None


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that chat and text completions share."""

    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=8)] = 1
    temperature: Annotated[float, Meta(ge=0, le=5)] = 1.0
    top_p: Annotated[float, Meta(ge=0, le=1)] = 1.0
    top_k: Annotated[int, Meta(ge=-1, le=1_024)] = 0
    min_p: Annotated[float, Meta(ge=0, le=1)] = 0.0
    repetition_penalty: Annotated[float, Meta(gt=0, le=10)] = 1.0
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] = 0.0
    logit_bias: Annotated[dict[TokenIdText, Bias], Meta(max_length=300)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=_MAX_SEED)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=16)] | None = None
    min_tokens: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    prompt_cache_key: str | None = None

    @property
    def has_usage(self) -> bool:
        """Whether the stream is to end with token counts."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def affinity(self) -> str | None:
        """The key as the pool's name for jobs that belong together, however long it is and whatever is in it."""
        return hashlib.sha256(self.prompt_cache_key.encode()).hexdigest()[:32] if self.prompt_cache_key else None

    @property
    def has_penalties(self) -> bool:
        """Whether what was said changes what will be."""
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1, 0, 0)


def sampled(job: Job, request: Sampling, *, max_tokens: int) -> Job:
    """The job, sampled as the request says."""
    return msgspec.structs.replace(
        job,
        model=request.model,
        max_tokens=max_tokens,
        temperature=request.temperature,
        top_p=max(request.top_p, _SMALLEST_NUCLEUS),
        top_k=max(request.top_k, 0),
        min_p=request.min_p,
        repeat_penalty=request.repetition_penalty,
        repeat_last_n=_WINDOW if request.has_penalties else job.repeat_last_n,  # a long look at nothing costs as well
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
        logit_bias=request.logit_bias,
        seed=None if request.seed is None else request.seed & _MAX_SEED,
        stop=request.stop or None,
        min_tokens=request.min_tokens,
        affinity=request.affinity,
    )
