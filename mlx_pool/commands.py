"""The table of commands, and the page of help that is drawn from it.

The page is drawn here and not by the argument parser, whose import alone costs more than the 200 ms that help may take.
"""

import msgspec

GROUPS = ("Run it", "Use it", "See it", "Look after it")
_LAST = GROUPS[-1]


class Command(msgspec.Struct, frozen=True):
    """One word after `mlx-pool`: a module of this room whose `run` is called, or a part that takes the process over."""

    name: str
    summary: str
    group: str = _LAST
    runs: str | None = None  # a module with `run(argv) -> int`
    becomes: str | None = None  # a package to run by `python -m`, which owns all its flags


COMMANDS = (
    Command(
        "up",
        "Start everything on this machine: an embedded queue, the gateway and workers.",
        "Run it",
        runs="mlx_pool.up.command",
    ),
    Command("gateway", "Run one gateway: HTTP on one side, the queue on the other.", "Run it", becomes="gateway"),
    Command(
        "join",
        "Have this machine serve a pool: its address is all that is needed.",
        "Run it",
        runs="mlx_pool.join.start",
    ),
    Command("worker", "Run one worker, with all its flags.", "Run it", becomes="worker"),
    Command("chat", "Talk to the pool in the terminal.", "Use it", runs="mlx_pool.chat"),
    Command("submit", "Put a job straight on the queue and print its events.", "Use it", runs="mlx_pool.submit"),
    Command("bulk", "Run a file of requests, and fetch the results.", "Use it", runs="mlx_pool.bulk"),
    Command("bench", "Put a load on the pool, and measure how it answers.", "Use it", runs="mlx_pool.bench.command"),
    Command("status", "Show workers, slots and queues.", "See it", runs="mlx_pool.status"),
    Command("top", "Show them live.", "See it", runs="mlx_pool.top.command"),
    Command("queue", "Show what waits, whose it is, and who runs what.", "See it", runs="mlx_pool.queue"),
    Command("job", "Show a job's life: when it waited, who ran it, how it ended.", "See it", runs="mlx_pool.job"),
    Command(
        "trace",
        "Follow a job as it goes from machine to machine, until it ends.",
        "See it",
        runs="mlx_pool.trace.command",
    ),
    Command("logs", "Show what the parts of this machine's `up` have logged.", "See it", runs="mlx_pool.logs.command"),
    Command(
        "doctor", "Check everything, and say what to do about what is wrong.", "See it", runs="mlx_pool.doctor.command"
    ),
    Command("models", "List, fetch, import and remove models.", becomes="worker.catalog"),
    Command("drain", "Have a worker hand over what it runs, and leave.", runs="mlx_pool.drain"),
    Command(
        "upgrade",
        "Upgrade this machine, or all one after the other, while the pool serves.",
        runs="mlx_pool.upgrade.command",
    ),
    Command("dead", "List, show, retry or drop jobs that were given up.", runs="mlx_pool.dead"),
    Command("keys", "Give out API keys for the gateways, list and revoke them.", runs="mlx_pool.keys"),
    Command("limits", "Show or set a queue's limits.", runs="mlx_pool.limits"),
    Command("acl", "Make users of Redis, each with the rights of its role.", runs="mlx_pool.acl"),
    Command("service", "Keep a worker, a gateway or an `up` running for good.", runs="mlx_pool.service.command"),
)


def command_named(name: str) -> Command | None:
    """Find a command by its word."""
    return next((command for command in COMMANDS if command.name == name), None)


def help_page() -> str:
    """Draw the page that `mlx-pool --help` shows; it fits a screen."""
    rows = "\n".join(_rows(group) for group in GROUPS)
    return f"""Usage: mlx-pool COMMAND [OPTIONS]

An inference worker pool for MLX: one HTTP endpoint and one Redis stream in front of any number of Macs.

{rows}
Options:
  -h, --help  Show this page, or after a command that command's options.
  --version   Show the version.

Exit codes: 0 done or drained, 1 fault, 2 usage.
"""


def _rows(group: str) -> str:
    width = max(len(command.name) for command in COMMANDS)
    rows = [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS if command.group == group]
    return "\n".join((f"{group}:", *rows, ""))
