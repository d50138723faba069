"""Who may import whom: the arrows of the architecture, and no other. A forbidden one is a failing test."""

import subprocess
import sys

import pytest

from .source import imports, is_in, modules, reached

# What each room may name besides itself and the standard library. The most specific prefix counts.
ALLOWED: dict[str, set[str]] = {
    "shared": {"redis", "msgspec"},
    "shared.tracing": {"opentelemetry"},  # late, and only where a collector is named
    "gateway": {"shared", "starlette", "uvicorn", "uvloop", "httptools", "prometheus_client", "msgspec", "structlog"},
    "worker": {"shared", "msgspec", "structlog", "prometheus_client"},
    "worker.catalog": {
        "shared",
        "msgspec",
        "structlog",
        "mlx",
        "mlx_lm",
        "transformers",
        "huggingface_hub",
        "numpy",
        "rich",
    },
    "worker.peer": {"shared", "msgspec", "starlette", "uvicorn"},
    "worker.engine": {
        "shared",
        "msgspec",
        "mlx",
        "mlx_lm",
        "numpy",
        "transformers",
        "tokenizers",
        "jinja2",
        "llguidance",
    },
    "worker.engine.scripted": {"shared", "msgspec"},
    "mlx_pool": {"shared", "msgspec", "structlog", "cyclopts", "rich"},
    "mlx_pool.lan": {"shared", "msgspec", "zeroconf", "ifaddr"},
}
# The engine and the catalogue see of `shared` what is plain data: no connection, no queue.
PLAIN_DATA = {
    "shared",
    "shared.job",
    "shared.grammar",
    "shared.tools",
    "shared.event",
    "shared.errors",
    "shared.config",
}
# The agent and the engine know of each other only the pipe's words.
PIPE = "worker.engine.wire"
STANDARD = frozenset(sys.stdlib_module_names)


def room_of(name: str) -> str:
    """The most specific room that a module is in."""
    return max((room for room in ALLOWED if name == room or name.startswith(f"{room}.")), key=len)


def test_a_module_imports_what_its_room_may() -> None:
    """The gateway and the worker never meet; redis is named in shared only, mlx in engine and catalogue only."""
    strangers = [
        f"{module.name} imports {name}"
        for module in modules()
        for name in sorted(imports(module))
        if not is_in(name, *STANDARD, module.name.partition(".")[0], *ALLOWED[room_of(module.name)])
    ]

    assert strangers == []


def test_inside_a_room_one_dot_is_enough() -> None:
    """So `grep "^from shared"` lists every border crossing."""
    climbing = [module.name for module in modules() if "\nfrom .." in module.text]

    assert climbing == []


def test_the_agent_knows_the_engine_by_its_pipe() -> None:
    """The engine is a child process, never imported; a wedged one can be killed without the agent."""
    agent = [module for module in modules("worker") if room_of(module.name) == "worker"]

    named = {name for module in agent for name in imports(module) if is_in(name, "worker.engine", "worker.catalog")}

    assert named == {PIPE, "worker.engine"}


def test_the_engine_knows_no_queue() -> None:
    """It speaks tokens, slots, steps and text: of shared it takes plain data, of the worker nothing but itself."""
    named = {name for module in modules("worker.engine") for name in imports(module)}

    assert {name for name in named if is_in(name, "shared")} <= PLAIN_DATA
    assert [name for name in named if is_in(name, "worker") and not is_in(name, "worker.engine")] == []


@pytest.mark.parametrize("engine", ["worker.engine.scripted.__main__", "worker.engine.__main__"])
def test_the_engine_runs_without_redis(engine: str) -> None:
    """Over any number of steps, nothing that it imports leads to a connection."""
    assert not [name for name in reached(engine) if is_in(name, "redis", "shared.connection")]


@pytest.mark.parametrize(
    "part", ["gateway.__main__", "worker.__main__", "worker.engine.scripted.__main__", "mlx_pool.__main__"]
)
def test_nothing_but_the_engine_needs_mlx(part: str) -> None:
    """A gateway, an agent, the scripted engine and the operator's command run on machines that have none."""
    assert not [name for name in reached(part) if is_in(name, "mlx", "mlx_lm", "transformers", "numpy")]


@pytest.mark.parametrize("part", ["gateway.app", "worker.agent", "worker.engine.scripted.loop", "mlx_pool.__main__"])
def test_a_part_really_imports_without_mlx(part: str) -> None:
    """Not only by name: with mlx and its kin hidden, the part loads."""
    hide = "import sys; sys.modules.update({name: None for name in ('mlx', 'mlx.core', 'mlx_lm', 'transformers')}); "

    loaded = subprocess.run([sys.executable, "-c", f"{hide}import {part}"], capture_output=True, text=True, check=False)

    assert loaded.returncode == 0, loaded.stderr


def test_of_shared_only_the_modules_of_connections_touch_redis() -> None:
    """Everything else speaks to `Broker`: the untyped library stands behind one wall."""
    touching = {module.name for module in modules() if any(is_in(name, "redis") for name in imports(module))}

    assert touching == {"shared.connection", "shared.channel", "shared.sentinel"}


def test_apis_do_not_know_each_other() -> None:
    """What surfaces share stands in the gateway itself, so that one can go without another."""
    surfaces = {"gateway.openai", "gateway.anthropic"}
    crossing = [
        f"{module.name} imports {name}"
        for surface in sorted(surfaces)
        for module in modules(surface)
        for name in sorted(imports(module))
        if is_in(name, *(surfaces - {surface}))
    ]

    assert crossing == []
