"""What the agent and the process that gives models away say to each other: JSON lines. Pure data."""

import msgspec


class Give(msgspec.Struct, frozen=True):
    """To the process: give this folder away, as the model of this queue."""

    queue: str
    path: str


class Open(msgspec.Struct, frozen=True, tag_field="status", tag="open"):
    """From it, once: it listens on this port, and asks for this token."""

    port: int
    token: str


class Gives(msgspec.Struct, frozen=True, tag_field="status", tag="gives"):
    """From it: this model is given away from now on."""

    queue: str
    digest: str
    bytes: int
    fingerprint: str


class Keeps(msgspec.Struct, frozen=True, tag_field="status", tag="keeps"):
    """From it: this one is not, and why."""

    queue: str
    reason: str


AnyWord = Open | Gives | Keeps
