"""An answer as one object: a message, or a count."""

from typing import Any

import msgspec

from gateway.gathered import Gathered
from shared.errors import Fault, Refused
from shared.event import Cancelled, Done

from .ending import stop_fields, usage_fields

# Anthropic signs thoughts, to know them again. Here they are not taken up again, but some clients drop unsigned ones.
SIGNATURE = "mlx-pool"


def message_id_of(job_id: str) -> str:
    """The id of the message that a job gives."""
    return f"msg_{job_id}"


def message_of(gathered: Gathered, *, job_id: str, model: str) -> bytes:
    """The message; `model` is the name that was asked for.

    Raises:
        PoolError: the job has no answer.

    """
    done = _end_of(gathered)
    message: dict[str, Any] = {
        "id": message_id_of(job_id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _content_of(gathered),
        **stop_fields(done),
        "usage": usage_fields(done.usage),
    }
    if gathered.warnings:  # sentences for people, which this API has no place for: its clients let unknown fields be
        message["warnings"] = gathered.warnings
    return msgspec.json.encode(message)


def count_of(gathered: Gathered) -> bytes:
    """How many tokens the prompt has, as the engine counted them.

    Raises:
        PoolError: the job has no answer.

    """
    return msgspec.json.encode({"input_tokens": _end_of(gathered).usage.prompt_tokens})


def cancelled() -> Refused:
    """What an answer becomes that was cancelled: this API knows no such end."""
    return Refused("job_cancelled", "The job was cancelled.")


def _content_of(gathered: Gathered) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if gathered.reasoning:
        content.append({"type": "thinking", "thinking": gathered.reasoning, "signature": SIGNATURE})
    if gathered.content:
        content.append({"type": "text", "text": gathered.content})
    for call in gathered.tool_calls:
        arguments = msgspec.Raw(call.arguments.encode())
        content.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return content


def _end_of(gathered: Gathered) -> Done:
    match gathered.end:
        case Done() as done:
            return done
        case Cancelled():
            raise cancelled()
        case None:
            raise Fault("internal", "The job ended in a way that this gateway does not know.")
