"""From flags to the processes to run and the lines to print: plain functions on values."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec

from mlx_pool.failure import Unusable
from mlx_pool.part import Engine, part_argv

from .address import in_url, is_loopback, local_host, outside_host
from .part import Part

DEFAULT_MODEL = "smollm2-135m"
SCRIPTED_MODEL = "scripted"
_GREETING = '"prompt":"안녕하세요","max_tokens":512,"temperature":0.7}'


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for."""

    workers: int = 1
    model: str | None = None
    engine: Engine = "mlx"
    slots: int | None = None
    memory_limit_gb: float | None = None  # of each engine
    on_demand: str | None = None  # more models, as the workers read it
    models_memory_gb: float | None = None  # of all engines of a worker
    keep_loaded_s: float | None = None
    host: str = "127.0.0.1"
    port: int = 8081
    redis: str | None = None  # None: an embedded broker
    tls: bool = False  # of the embedded broker
    model_alias: str | None = None  # as the gateway reads it

    @property
    def keeps_a_model(self) -> bool:
        """Whether a model is loaded from the start: the one asked for, or the default where none is on demand."""
        return self.model is not None or not self.names_on_demand

    @property
    def names_on_demand(self) -> list[str]:
        """The queues of the models on demand, without what is said of their sizes."""
        words = (word.strip().partition("=")[0] for word in (self.on_demand or "").split(","))
        return [queue_name(word) for word in words if word]

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach the gateway, and the embedded broker with it."""
        return not is_loopback(self.host)

    @property
    def http_url(self) -> str:
        """Where this machine reaches the gateway."""
        return f"http://{in_url(local_host(self.host))}:{self.port}"


def check_flags(flags: Flags) -> None:
    """Raise `Unusable` for what can't be meant."""
    if flags.tls and flags.redis is not None:
        raise Unusable(
            "--tls is for the queue that `up` brings along; the address of another one begins with rediss://."
        )
    for flag, value, least, most in (
        ("--workers", flags.workers, 0, 64),
        ("--port", flags.port, 1, 65_535),
        ("--slots", flags.slots, 1, 1_024),
        ("--memory-limit-gb", flags.memory_limit_gb, 0.1, 10_000),
        ("--models-memory-gb", flags.models_memory_gb, 0.1, 10_000),
        ("--keep-loaded-s", flags.keep_loaded_s, 0, 10_000_000),
    ):
        if value is not None and not least <= value <= most:
            raise Unusable(f"{flag} {value}: expected {least} to {most}.")


def chosen_model(flags: Flags, env: Mapping[str, str]) -> str:
    """Choose the model: the one asked for, else the one in MLX_MODEL_PATH, else the default of the engine."""
    if flags.engine == "scripted":
        return flags.model or SCRIPTED_MODEL
    return flags.model or env.get("MLX_MODEL_PATH") or DEFAULT_MODEL


def models_told(flags: Flags, model: str) -> str:
    """Name what is served, for people."""
    return ", ".join(([queue_name(model)] if flags.keeps_a_model else []) + flags.names_on_demand)


def queue_name(model: str) -> str:
    """Give the name under which a model is asked for: a folder's own name, else the name or id as it is."""
    looks_like_path = model.startswith((".", "/", "~")) or Path(model).is_dir()
    return Path(os.path.normpath(model)).name if looks_like_path else model


def broker_url(host: str, port: int, password: str, *, pin: str | None = None) -> str:
    """Write the embedded broker's address; with a pin it is one of TLS, to the server of that certificate."""
    scheme, query = ("redis", "") if pin is None else ("rediss", f"?ssl_pin={pin}")
    return f"{scheme}://:{password}@{in_url(host)}:{port}/0{query}"


def broker_hosts(host: str) -> tuple[str, ...]:
    """Give the addresses that the embedded broker listens on: loopback always, for this machine's own parts."""
    if is_loopback(host):
        return ("127.0.0.1",)
    if host in ("0.0.0.0", "::"):  # noqa: S104 -- asked for by the person, and behind a password
        return (host,) if host != "::" else ("*", "-::*")
    return ("127.0.0.1", host)


def guardian_part(folder: Path, up_pid: int, env: Mapping[str, str]) -> Part:
    """Describe the process that cleans up after a killed `up`."""
    argv = part_argv("mlx_pool.up.guardian", [str(folder), str(up_pid)])
    return Part(name="guardian", stage="guardian", argv=argv, env=dict(env), holds_stdin=True)


def gateway_part(
    flags: Flags,
    redis_url: str,
    model: str,
    key_file: Path | None,
    env: Mapping[str, str],
    *,
    keys_file: Path | None = None,
) -> Part:
    """Describe the gateway's process; clients show the one key, or one of the file's."""
    argv = ["--host", flags.host, "--port", str(flags.port)]
    if flags.keeps_a_model:
        argv += ["--default-model", queue_name(model)]
    if flags.model_alias is not None:
        argv += ["--model-alias", flags.model_alias]
    if key_file is not None:
        argv += ["--api-key-file", str(key_file)]
    if keys_file is not None:
        argv += ["--api-keys-file", str(keys_file)]
    return Part(name="gateway", stage="gateway", argv=part_argv("gateway", argv), env=_with_queue(env, redis_url))


def worker_parts(flags: Flags, redis_url: str, model: str, env: Mapping[str, str]) -> list[Part]:
    """Describe the workers' processes."""
    given = {
        "--slots": flags.slots,
        "--memory-limit-gb": flags.memory_limit_gb,
        "--on-demand": flags.on_demand,
        "--models-memory-gb": flags.models_memory_gb,
        "--keep-loaded-s": flags.keep_loaded_s,
        # Each would else take the whole machine's memory for its own.
        "--workers-here": flags.workers if flags.workers > 1 else None,
    }
    argv = ["--engine", flags.engine]
    if flags.keeps_a_model:
        argv += ["--model", model]
    for flag, value in given.items():
        argv += [] if value is None else [flag, str(value)]
    # Who may reach the queue from outside may take the models, too: one worker gives them away for all.
    shared = ["--share-models", flags.host] if flags.is_open and flags.engine == "mlx" and flags.redis is None else []
    names = ["worker"] if flags.workers == 1 else [f"worker {number}" for number in range(1, flags.workers + 1)]
    return [
        Part(
            name=name,
            stage="worker",
            argv=part_argv("worker", argv + ([] if number else shared)),
            env=_with_queue(env, redis_url),
        )
        for number, name in enumerate(names)
    ]


def curl_line(flags: Flags, key_file: Path | None) -> str:
    """Write the line that asks the pool something. The key is read from its file: it does not belong on the screen."""
    # A Mac's own data folder has a blank in its name.
    key = "" if key_file is None else f' -H "Authorization: Bearer $(cat {shlex.quote(str(key_file))})"'
    body = "{" + ("" if flags.keeps_a_model else f'"model":"{flags.names_on_demand[0]}",') + _GREETING
    return f"curl -N {flags.http_url}/chat{key} -H 'Content-Type: application/json' -d '{body}'"


def join_line(flags: Flags, redis_url: str, model: str) -> str:
    """Write the line by which another machine joins. `redis_url` is the local one, with the password."""
    credentials, _, place = redis_url.rpartition("@")
    address = f"{credentials}@{in_url(outside_host(flags.host))}:{place.rpartition(':')[2]}"
    # A shell of macOS takes the ? of a pin for a pattern.
    return " ".join(("mlx-pool join", shlex.quote(address), *_join_flags(flags, model)))


def bare_join_line(flags: Flags, redis_url: str, model: str) -> str:
    """Write the line for a machine on which nothing is installed; the password is asked for there."""
    host = in_url(outside_host(flags.host))
    scheme, _, rest = redis_url.partition("://")
    address = f"{scheme}://{host}:{rest.rpartition('@')[2].rpartition(':')[2]}"
    script = f"curl -fsSL http://{host}:{flags.port}/join | sh -s --"
    return " ".join((script, shlex.quote(address), *_join_flags(flags, model)))


def _join_flags(flags: Flags, model: str) -> list[str]:
    models = [f"--model {shlex.quote(queue_name(model))}"] if flags.keeps_a_model else []
    models += [f"--on-demand {shlex.quote(flags.on_demand)}"] if flags.on_demand else []
    engine = [] if flags.engine == "mlx" else [f"--engine {flags.engine}"]
    return [*models, *engine]


def _with_queue(env: Mapping[str, str], redis_url: str) -> dict[str, str]:
    # In the environment and not among the arguments, which every user of the machine can read.
    return {**env, "MLX_POOL_REDIS_URL": redis_url}
