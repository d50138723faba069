"""The table of commands, and the page of help that is drawn from it.

The page is drawn here and not by the argument parser, whose import alone costs more than the 200 ms that help may take.
"""

import msgspec


class Command(msgspec.Struct, frozen=True):
    """One word after `mlx-pool`: a module of this room whose `run` is called, or a part that takes the process over."""

    name: str
    summary: str
    runs: str | None = None  # a module with `run(argv) -> int`
    becomes: str | None = None  # a package to run by `python -m`, which owns all its flags


COMMANDS = (
    Command(
        "up",
        "Start everything on this machine: an embedded queue, the gateway and workers.",
        runs="mlx_pool.up.command",
    ),
    Command("gateway", "Run one gateway: HTTP on one side, the queue on the other.", becomes="gateway"),
    Command("worker", "Run one worker: this is how another machine joins a pool.", becomes="worker"),
    Command("chat", "Talk to the pool in the terminal.", runs="mlx_pool.chat"),
    Command("submit", "Put a job straight on the queue and print its events.", runs="mlx_pool.submit"),
    Command("bulk", "Run a file of requests, and fetch the results.", runs="mlx_pool.bulk"),
    Command("status", "Show workers, slots and queues.", runs="mlx_pool.status"),
    Command("models", "List, fetch, import and remove models.", becomes="worker.catalog"),
    Command("dead", "List, show, retry or drop jobs that were given up.", runs="mlx_pool.dead"),
    Command("keys", "Give out API keys for the gateways, list and revoke them.", runs="mlx_pool.keys"),
    Command("limits", "Show or set a queue's limits.", runs="mlx_pool.limits"),
)


def command_named(name: str) -> Command | None:
    """Find a command by its word."""
    return next((command for command in COMMANDS if command.name == name), None)


def help_page() -> str:
    """Draw the page that `mlx-pool --help` shows; it fits a screen."""
    width = max(len(command.name) for command in COMMANDS)
    rows = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    return f"""Usage: mlx-pool COMMAND [OPTIONS]

An inference worker pool for MLX: one HTTP endpoint and one Redis stream in front of any number of Macs.

Commands:
{rows}

Options:
  -h, --help  Show this page, or after a command that command's options.
  --version   Show the version.

Exit codes: 0 done or drained, 1 fault, 2 usage.
"""
