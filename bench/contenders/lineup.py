"""Who can be measured, by the name that tables give them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from . import engine, pool, raw
from .contender import Contender, Setting

Start = Callable[[Path, Setting], AbstractContextManager[Contender]]

RAW = "raw"
LINEUP: Mapping[str, Start] = {
    RAW: raw.start,
    "raw on all cores": raw.start_on_all_cores,
    "engine alone": engine.start,
    "pool": pool.start,
}
