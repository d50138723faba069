"""The command `mlx-pool upgrade`: this machine, or several one after the other, to another version of mlx-pool."""

import os
import shlex
import shutil
import time
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from mlx_pool.arguments import RedisFlag, call
from mlx_pool.failure import CommandError, Unusable
from mlx_pool.own_name import own_name
from mlx_pool.up.screen import choose_screen
from mlx_pool.where import redis_url

from .fleet import hosts_named, hosts_of
from .here import Wish, upgrade_here
from .news import AsJson, News, OnScreen, Teller
from .pool import surveys
from .ssh import Fleet, Reach

_Hosts = Annotated[str | None, Parameter(help="A,B,…: upgrade these instead, one after the other, over ssh.")]
_Pool = Annotated[bool, Parameter(negative="", help="All machines that serve the pool, by their names in it.")]
_To = Annotated[
    str | None,
    Parameter(help="A version, or a wheel or folder as that machine sees it. [default: the index's newest]"),
]
_Settle = Annotated[
    float, Parameter(name="--settle-s", help="How long each has to stay well before the next takes its turn.")
]


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(upgrade, argv, name="upgrade")


def upgrade(
    *,
    to: _To = None,
    hosts: _Hosts = None,
    pool: _Pool = False,
    wait_s: Annotated[float, Parameter(name="--wait-s", help="How long each may take until it is well.")] = 300.0,
    settle_s: _Settle = 10.0,
    ssh: Annotated[str, Parameter(help="With --hosts or --pool: how ssh is called.")] = "ssh",
    command: Annotated[str, Parameter(help="With them: how mlx-pool is called there.")] = "mlx-pool",
    redis: RedisFlag = None,
    dry_run: Annotated[bool, Parameter(negative="", help="Only tell what would be done.")] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", negative="", help="A JSON object a line, as it happens.")
    ] = False,
) -> int:
    """Upgrade mlx-pool here, and restart what runs from it: drained, replaced, started, looked at, one by one.

    Nothing is lost: others go on with what it ran. At the first part that is not well again the old version is put
    back, and the exit code is 1.
    """
    if hosts is not None and pool:
        raise Unusable("--hosts or --pool: one of them.")
    here = own_name(os.environ)
    teller: Teller = AsJson(here, time.monotonic()) if as_json else OnScreen(choose_screen())
    wish = Wish(to=to, redis=redis, wait_s=wait_s, settle_s=settle_s, dry_run=dry_run, as_json=as_json)
    if hosts is None and not pool:
        return _upgrade_here(wish, teller)
    if shutil.which(shlex.split(ssh)[0]) is None:
        raise Unusable(f"`{ssh}` is not on this machine.")
    named = hosts_named(hosts) if hosts is not None else hosts_of(surveys(redis_url(redis, os.environ), ()), here)
    if not named:
        raise Unusable("No machine serves the pool now: name them with --hosts.")
    flags = [*(["--to", to] if to else []), "--wait-s", f"{wait_s:g}", "--settle-s", f"{settle_s:g}"]
    return Fleet(Reach(ssh=ssh, command=command, here=here), teller).upgrade(named, flags, dry_run=dry_run)


def _upgrade_here(wish: Wish, teller: Teller) -> int:
    try:
        return upgrade_here(wish, os.environ, teller)
    except CommandError as error:
        # Who reads the lines learns of it by them; the line for a person is the command's own.
        if wish.as_json:
            teller.tell(News(step="failed", told=str(error)))
        raise
