"""How hard a model is to think: the APIs' words as chat templates know them."""

from collections.abc import Mapping
from typing import Literal

Effort = Literal["minimal", "low", "medium", "high"]
EFFORTS: Mapping[str, Effort] = {
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",  # the most that templates know
    "max": "high",
}
