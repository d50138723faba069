"""The whole document."""

from typing import Any, cast

import msgspec

from shared.event import Cancelled, Done, Error, Started, Token
from shared.job import Job
from shared.schemas import schemas_of

from .channels import CHANNELS, Channel

Object = dict[str, Any]
VERSION = "1"  # of the protocol: `v` in a job's entry
_SCHEMAS = "#/components/schemas/"
_LoggedEvent = Started | Token | Done | Error | Cancelled
_NOTE = """\
Written from the side of a service that uses the queue directly. docs/protocol.md tells of it in words, and of the
submit script, which unlike XADD says when a queue is full.

- `SMEMBERS pool:models` lists the queues. A queue's tag is its model's name in braces: `{smollm2-135m}`.
- Who reads skips events and fields that are not known: later versions add some.
- `seq` counts from 1 without a hole across all attempts; one of `done`, `error`, `cancelled` is the last event.
"""


def document() -> bytes:
    """The document as it stands in `docs/asyncapi.json`."""
    return msgspec.json.format(msgspec.json.encode(document_object()), indent=2) + b"\n"


def document_object() -> Object:
    """The same as an object."""
    sent = [channel.kind for channel in CHANNELS if channel.does == "send"]
    received = [channel.kind for channel in CHANNELS if channel.does == "receive"]
    schemas = schemas_of([Job, *sent], [_LoggedEvent, *received], place=_SCHEMAS)
    structs = {name: _without_discriminators(schema) for name, schema in schemas.structs.items()}
    roots = dict(zip([*map(id, sent), *map(id, received)], [*schemas.read[1:], *schemas.written[1:]], strict=True))
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "mlx-pool's queue", "version": VERSION, "description": _NOTE, "license": _LICENSE},
        "servers": {"broker": _SERVER},
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {channel.operation: _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {channel.message: _message(channel, roots[id(channel.kind)]) for channel in CHANNELS},
            "schemas": {"LoggedEvent": _without_discriminators(schemas.written[0]), **structs},
        },
    }


_LICENSE: Object = {"name": "Apache-2.0"}
_SERVER: Object = {
    "host": "127.0.0.1:6379",
    "protocol": "redis",
    "description": "Redis from 7.0 on, or Valkey from 7.2 on; with TLS, `rediss`.",
}
_QUEUE: Object = {"description": "A queue's tag: its model's name in braces.", "examples": ["{smollm2-135m}"]}


def _channel(channel: Channel) -> Object:
    return {
        "address": channel.address,
        "description": channel.note,
        "messages": {channel.message: {"$ref": f"#/components/messages/{channel.message}"}},
        "parameters": {"queue": _QUEUE, **{name: {"description": said} for name, said in channel.parameters.items()}},
        "x-redis": channel.command,
    }


def _operation(channel: Channel) -> Object:
    told: Object = {
        "action": channel.does,
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.message}"}],
    }
    return told | ({"reply": {"channel": {"$ref": f"#/channels/{channel.answered_by}"}}} if channel.answered_by else {})


def _message(channel: Channel, schema: Object) -> Object:
    return {"payload": schema, "examples": [{"payload": channel.example}]}


def _without_discriminators(told: Any) -> Any:
    """The same without what OpenAPI has to tell a union's kinds apart: AsyncAPI means another thing by that word."""
    if isinstance(told, dict):
        fields = cast("Object", told)
        return {name: _without_discriminators(value) for name, value in fields.items() if name != "discriminator"}
    return [_without_discriminators(each) for each in cast("list[Any]", told)] if isinstance(told, list) else told
