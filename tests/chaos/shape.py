"""What a pool under test consists of. Plain data."""

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """How many of what, and how they are set."""

    workers: int = 3
    gateways: int = 1
    slots: int = 8
    step_ms: float = 5.0
    drain_s: float = 0.5
    fsync: str = "everysec"
    limits: dict[str, int] = {}
    model: str = ""  # of `worker.catalog synthetic`, on the reference BLAS; "" is the scripted engine
    tenants: int = 0  # among whom HTTP clients are shared out, each with a key; 0: nobody needs one
    sick: int = 0  # so many of the workers have an engine that crashes at its 30th step, again and again
    is_proxied: bool = False  # gateways and workers reach the broker through proxies of their own
    is_apart: bool = False  # workers have network namespaces of their own, and proxies at their borders
