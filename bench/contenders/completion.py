"""A job in the words of the chat completions API and of the fields that MLX's servers add to it. Pure."""

import json
from typing import Any

from shared.job import Job, parse_job

MODEL = "default_model"  # what mlx_lm.server calls the model of its command line


def completion_of(body: str) -> str:
    """Ask the same of a peer as the job asks of the pool.

    Without a seed, whatever the job has: mlx_lm.server serves seeded requests one at a time, and vllm-mlx has none. And
    without a penalty of 1, which changes nothing but is computed.
    """
    job = parse_job(body)
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": messages_of(job),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": job.max_tokens,
        "temperature": job.temperature,
        "top_p": job.top_p,
        "top_k": job.top_k,
        "min_p": job.min_p,
    }
    if job.repeat_penalty != 1:
        asked |= {"repetition_penalty": job.repeat_penalty, "repetition_context_size": job.repeat_last_n}
    return json.dumps(asked)


def messages_of(job: Job) -> list[dict[str, Any]]:
    """The job's conversation; a prompt is one turn of the user's."""
    if job.messages is None:
        return [{"role": "user", "content": job.prompt}]
    return [{"role": message.role, "content": message.content} for message in job.messages]
