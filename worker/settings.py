"""What a worker can be told: flags, environment, defaults."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.config import Option


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One machine's share of the pool: takes jobs of its models from Redis and generates."""

    redis: Annotated[
        str, Option("where Redis is, redis://:PASSWORD@HOST:PORT", env="MLX_POOL_REDIS_URL", is_secret=True)
    ] = "redis://127.0.0.1:6379"
    model: Annotated[str, Option("a catalogue name, a folder, or a Hugging Face id")] = ""
    on_demand: Annotated[
        tuple[str, ...],
        Option("A,B,…: more models, each loaded when a job waits for it; A=12 says that its engine needs 12 GiB"),
    ] = ()
    models_memory_gb: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Option("GiB that all engines may fill together, with --on-demand; default: three quarters of the memory"),
    ] = None
    keep_loaded_s: Annotated[
        float, Meta(ge=0), Option("unload what had no job for so long; 0: only when room is needed")
    ] = 0.0
    turn_s: Annotated[
        float, Meta(gt=0), Option("models that do not fit together take turns of so long, when jobs wait for both")
    ] = 10.0
    workers_here: Annotated[
        int, Meta(ge=1, le=64), Option("how many workers share this machine; its memory is shared evenly")
    ] = 1
    engine: Annotated[Literal["mlx", "scripted"], Option("scripted: no model, made-up text, for trying out")] = "mlx"
    slots: Annotated[int, Meta(ge=1, le=256), Option("jobs at once; past about eight on a Mac add a Mac")] = 16
    context_tokens: Annotated[int, Meta(ge=0), Option("longest prompt + answer; 0: the model's, up to 32,768")] = 0
    prompt_cache_mb: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Option("MiB that finished jobs' state may fill for the next turn; 0: none; default: a quarter of what is free"),
    ] = None
    memory_limit_gb: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Option("GiB that the engine may have: set it where others need memory too; default: all of the device's"),
    ] = None
    wired_limit_gb: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Option("GiB that macOS never pages out, for a model nearly as large as RAM; may panic the kernel under load"),
    ] = None
    share_models: Annotated[
        str, Option("HOST or HOST:PORT to listen on: machines that join the pool may take this one's models from there")
    ] = ""
    queue: Annotated[str, Option("the queue's name, when it is not the model's")] = ""
    placement: Annotated[
        Literal["best", "first"],
        Option("best: each job where its prompt has been read before; first: whoever is free takes what came first"),
    ] = "best"
    drain_s: Annotated[
        float, Meta(ge=0, le=3_600), Option("how long running jobs may finish before they are handed over")
    ] = 30.0
    name: Annotated[str, Option("this machine's name in the pool; default: its host name")] = ""
    otlp_endpoint: Annotated[
        str, Option("a collector's URL, to send traces to by OTLP over HTTP", env="OTEL_EXPORTER_OTLP_ENDPOINT")
    ] = ""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Option("how much is logged")] = "info"
    engine_args: Annotated[str, Option("more flags for the engine")] = ""
