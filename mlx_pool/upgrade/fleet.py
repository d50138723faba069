"""Several machines, one after the other, each over ssh by its own `mlx-pool upgrade`: decided here, done in `ssh`."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from mlx_pool.failure import Unusable
from mlx_pool.terminal import clean
from shared.survey import Survey

# Not a flag of ssh's, nor anything that a shell would take apart.
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,253}")
# No questions, no terminal, and an end where nobody answers any more.
_OPTIONS: Final = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
# A shell without a login does not look where uv and pipx put commands.
_PATH: Final = 'PATH="$HOME/.local/bin:/opt/homebrew/bin:$PATH"'
NO_SSH: Final = 255


class Ended(msgspec.Struct, frozen=True):
    """How one machine's upgrade ended: its exit code, and the last thing that it told."""

    code: int
    told: str


def hosts_named(text: str) -> list[str]:
    """Read `A,B,C`.

    Raises:
        Unusable: a word is no machine's name.

    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if not _HOST.fullmatch(name):
            raise Unusable(f"--hosts: `{clean(name)}` is no name of a machine.")
    if not names:
        raise Unusable("--hosts: expected NAME,NAME,…")
    return list(dict.fromkeys(names))


def hosts_of(surveys: Iterable[Survey], here: str) -> list[str]:
    """Give the machines that serve a pool, by their names in it, this one last: the command itself runs from here."""
    ids = {view.id for survey in surveys for view in survey.live_workers}
    names = {worker_id.rpartition(".")[0].rpartition(".")[0] for worker_id in ids}
    for name in names:
        if not _HOST.fullmatch(name):
            raise Unusable(
                f"The pool knows a machine `{clean(name)}`, which is no name for ssh: say which, with --hosts."
            )
    return [*sorted(names - {here}), *sorted(names & {here})]


def remote_argv(ssh: str, host: str, command: str, flags: Sequence[str]) -> tuple[str, ...]:
    """Give the command line that upgrades another machine.

    `command` is how mlx-pool is called there, and the remote shell's to read.
    """
    return (*shlex.split(ssh), *_OPTIONS, host, f"{_PATH} {command} upgrade --json {shlex.join(flags)}".rstrip())


def outcome(ended: Mapping[str, Ended], hosts: Sequence[str]) -> str:
    """Say how it went, for the one line at the end."""
    well = [host for host in hosts if host in ended and not ended[host].code]
    ill = [host for host in hosts if host in ended and ended[host].code]
    left = [host for host in hosts if host not in ended]
    if not ill and not left:
        return f"all {len(well)} machine(s) are done: {', '.join(well)}"
    told = [f"stopped at {host}: {ended[host].told}" for host in ill]
    told += [f"done before: {', '.join(well)}"] if well else []
    told += [f"not begun: {', '.join(left)}"] if left else []
    return "; ".join(told)


def trouble_of(host: str, code: int, last_words: str) -> str:
    """Say why nothing was heard of a machine."""
    said = f": {clean(last_words)}" if last_words else ""
    if code == NO_SSH:
        return f"ssh does not get to {host}{said}"
    if code == 127:
        return f"mlx-pool is not found on {host}{said} (--command says how it is called there)"
    return f"it ended with exit code {code}{said}"
