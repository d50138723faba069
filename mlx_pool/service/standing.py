"""How a service stands, as its manager tells."""

from typing import Literal

import msgspec


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it runs; `detail` says in words what a person should know of that."""

    state: Literal["running", "stopped", "failed"]
    pid: int | None = None
    last_exit_code: int | None = None
    detail: str = ""
