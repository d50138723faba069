"""Between the queue's words and the pipe's: a claimed job becomes a `generate` line, replies become events. Pure."""

from typing import Any

import msgspec

from shared import event
from shared.claims import Claimed
from shared.errors import PoolError, Refused
from shared.job import Ask, Job, Message, parse_job, seed_of
from shared.outline import decode_outline

from .engine import wire
from .run import Past, Run

_ASK_FIELDS = Ask.__struct_fields__
BYTES_PER_TOKEN = 4


def job_of(claimed: Claimed, model: str) -> Job:
    """Parse a claimed job's body.

    Raises:
        Refused: it is broken, or it asks for another model than this queue's.

    """
    job = parse_job(claimed.body)
    if job.model is not None and job.model != model:
        raise Refused("model_not_found", f"This queue serves {model}, not {job.model}.", param="model")
    return job


def generate_line(job: Job, run: Run) -> wire.Generate:
    """What the engine is told: the ask, the seed that all attempts share, and the ids to go on after."""
    ask: dict[str, Any] = {name: getattr(job, name) for name in _ASK_FIELDS} | {"seed": run.seed}
    return wire.Generate(
        **ask,
        id=run.pipe_id,
        resume=wire.Resume(list(run.past.tokens)) if run.past.tokens else None,
        enqueued_at_ms=run.claimed.enqueued_at_ms,
        tenant=run.claimed.tenant,
        steps_aside=run.steps_aside or job.class_ == "lo",
        prefixes=tuple((prefix.hash, prefix.tokens) for prefix in decode_outline(run.claimed.outline).prefixes),
    )


def seed(job: Job, claimed: Claimed, past: Past) -> int:
    """The seed of every attempt at a job: its own, or the one that an earlier attempt logged, or one from its id."""
    if job.seed is not None:
        return job.seed
    return past.seed if past.seed is not None else seed_of(claimed.id)


def prompt_tokens_estimate(job: Job) -> int:
    """How long the prompt is, about, before the engine has counted."""
    if job.tokens is not None:
        return len(job.tokens)
    offered = len(msgspec.json.encode(job.offered)) // BYTES_PER_TOKEN if job.offered else 0
    if job.prompt is not None:
        return offered + len(job.prompt.encode()) // BYTES_PER_TOKEN + 1
    return offered + sum(_size(message) // BYTES_PER_TOKEN + 1 for message in job.messages or ())


def _size(message: Message) -> int:
    called = sum(len(call.function.arguments.encode()) for call in message.tool_calls or ())
    return len((message.content or "").encode()) + called


def started_event(reply: wire.Started, run: Run, worker_id: str) -> event.Started:
    """The first event of an attempt."""
    return event.Started(
        worker=worker_id,
        attempt=run.claimed.attempt,
        seed=run.seed,
        prompt_tokens=reply.prompt_tokens,
        prompt_hash=reply.prompt_hash,
        cached_tokens=reply.cached_tokens,
        resumed_tokens=len(run.past.tokens),
    )


def token_event(reply: wire.Token) -> event.Token:
    """New ids and their text."""
    return event.Token(
        content=reply.content,
        reasoning=reply.reasoning,
        tool_calls=reply.tool_calls,
        warning=reply.warning,
        tokens=reply.tokens,
        logprobs=reply.logprobs,
    )


def done_event(reply: wire.Done, run: Run) -> event.Done:
    """The end as asked."""
    queued_ms = run.claimed.now_ms - run.claimed.enqueued_at_ms
    timings = msgspec.structs.replace(reply.timings, queued_ms=max(0, queued_ms))
    return event.Done(reason=reply.reason, usage=reply.usage, timings=timings, stop=reply.stop)


def error_event(error: wire.Error | PoolError) -> event.Error:
    """The end in an error, whether the engine or the agent found it."""
    return event.Error(code=error.code, message=error.message, param=error.param)
