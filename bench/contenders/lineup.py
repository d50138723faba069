"""Who can be measured, by the name that tables give them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from . import engine, mlx_lm_server, pool, raw, vllm_mlx
from .contender import Contender, Setting

Start = Callable[[Path, Setting], AbstractContextManager[Contender]]

RAW = "raw"
PEERS: Mapping[str, Start] = {"mlx_lm.server": mlx_lm_server.start, "vllm-mlx": vllm_mlx.start}
LINEUP: Mapping[str, Start] = {
    RAW: raw.start,
    "raw on all cores": raw.start_on_all_cores,
    "engine alone": engine.start,
    "pool": pool.start,
    **PEERS,
}
USUAL = (RAW, "engine alone", "pool", *PEERS)
