"""This machine's upgrade, from what is found here to an order that is carried out by a process of its own."""

import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Generator, Mapping, Sequence

import msgspec

from mlx_pool.failure import Unusable
from mlx_pool.own_name import own_name
from mlx_pool.where import known_redis_url
from shared.errors import PoolError
from shared.survey import Survey

from .installation import Installation, installation_here
from .keepers import services_of, ups_of
from .news import News, Teller
from .order import Order, encode_order, hints, plan_lines
from .pool import surveys
from .processes import Process, processes
from .trees import Beside, copy, remove
from .turns import Kept, Turn, asked_queues, strays, turns_of
from .wanted import requirement


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asked for."""

    to: str | None
    redis: str | None
    wait_s: float
    settle_s: float
    dry_run: bool
    as_json: bool


def upgrade_here(wish: Wish, env: Mapping[str, str], teller: Teller) -> int:
    """Upgrade this machine; returns the exit code.

    Raises:
        CommandError: it can't be begun; nothing was changed.

    """
    installed = installation_here(env)
    wanted = requirement(wish.to, installed.extras)
    listed = processes()
    turns, told = _found(installed, listed, wish.redis or known_redis_url(env), env)
    order = Order(
        installed=installed,
        wanted=wanted,
        turns=turns,
        queues=asked_queues(listed),
        machine=own_name(env),
        wait_s=wish.wait_s,
        settle_s=wish.settle_s,
        as_json=wish.as_json,
    )
    for line in (*plan_lines(order), *told):
        teller.tell(News(step="plan", told=line))
    return 0 if wish.dry_run else _carry_out(order)


def _found(
    installed: Installation, listed: list[Process], url: str | None, env: Mapping[str, str]
) -> tuple[tuple[Turn, ...], list[str]]:
    """Find what runs from the environment, and what should be said of that."""
    services = services_of(installed.prefix)
    kept: list[Kept] = [*services, *ups_of(installed.prefix, listed, services, env)]
    kept = [each if each.url else msgspec.structs.replace(each, url=url) for each in kept]
    found = _surveys({each.url for each in kept if each.url and each.pid}, asked_queues(listed))
    turns = tuple(turns_of(kept, listed, found))
    if blind := [turn.name for turn in turns if turn.ran and turn.url is None]:
        raise Unusable(f"Which queue do the workers of {', '.join(blind)} serve? Give its address with --redis URL.")
    return turns, list(hints(turns, found, strays(kept, listed, installed.prefix)))


def _surveys(urls: set[str], named: frozenset[str]) -> list[Survey]:
    try:
        return [survey for url in sorted(urls) for survey in surveys(url, named)]
    except PoolError as error:
        # Without it nobody could tell afterwards whether a worker is well.
        raise Unusable(f"{error.message} Upgrade when the queue answers.") from error


def _carry_out(order: Order) -> int:
    """Have it carried out by an interpreter that lies in the copy of the old environment."""
    beside = Beside(order.installed.prefix)
    with _lock(beside) as descriptor:
        copy(beside.prefix, beside.before)
        # Who hangs up ends this process, not what it has begun.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            return _run(order, beside, descriptor)
        finally:
            remove(beside.before)


def _run(order: Order, beside: Beside, descriptor: int) -> int:
    python = beside.before / "bin/python"
    # The order holds addresses with passwords: it goes where no list of processes shows it.
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and module
        (str(python), "-P", "-m", "mlx_pool.upgrade.work"),
        stdin=subprocess.PIPE,
        pass_fds=(descriptor,),
        # A terminal's signals would end the tools that it calls, some of which (`ps`) can't be made to ignore them.
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        _pass_on((signal.SIGINT, signal.SIGTERM), process)
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its own words say why
            process.stdin.write(encode_order(order))
            process.stdin.close()
        return abs(process.wait())


def _pass_on(signals: Sequence[signal.Signals], process: subprocess.Popen[bytes]) -> None:
    """Give these to it at once, which knows whether it may still stop; what we were started to ignore stays ignored."""
    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: process.send_signal(number))


@contextlib.contextmanager
def _lock(beside: Beside) -> Generator[int]:
    """One upgrade of an environment at a time: the lock is held until the last process of it has ended."""
    # Of the folder around it: the environment itself is another one afterwards.
    descriptor = os.open(beside.prefix.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Unusable(f"Another upgrade is under way in {beside.prefix.parent}.") from error
    else:
        yield descriptor
    finally:
        os.close(descriptor)
