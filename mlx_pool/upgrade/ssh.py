"""Machines upgraded one after the other: the one place that starts ssh, and hears what comes back."""

import contextlib
import signal
import subprocess
from collections.abc import Generator, Sequence

import msgspec

from mlx_pool.part import part_argv

from .fleet import Ended, outcome, remote_argv, trouble_of
from .news import News, Teller, read_news


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How other machines are reached. `here` is this one's name, which needs no ssh."""

    ssh: str
    command: str
    here: str


class Fleet:
    """Goes from machine to machine, and stops at the first that is not well after it."""

    def __init__(self, reach: Reach, teller: Teller) -> None:
        self._reach = reach
        self._teller = teller
        self._is_called_off = False

    def upgrade(self, hosts: Sequence[str], flags: Sequence[str], *, dry_run: bool) -> int:
        """Ask all whether they could, then upgrade one after the other; returns the exit code."""
        asked = {host: self._one(host, (*flags, "--dry-run"), is_asked=True) for host in hosts}
        if any(ended.code for ended in asked.values()):
            cannot = "; ".join(f"{host}: {ended.told}" for host, ended in asked.items() if ended.code)
            self._teller.tell(News(step="failed", told=f"nothing was begun, since not all machines could: {cannot}"))
            return 2 if all(ended.code in {0, 2} for ended in asked.values()) else 1
        if dry_run:
            return 0
        done: dict[str, Ended] = {}
        with self._calls_off():
            for host in hosts:
                if self._is_called_off:
                    break
                done[host] = self._one(host, flags)
                if done[host].code:
                    break
        is_well = len(done) == len(hosts) and not any(ended.code for ended in done.values())
        self._teller.tell(News(step="done" if is_well else "failed", told=outcome(done, hosts)))
        return 0 if is_well else 1

    def _one(self, host: str, flags: Sequence[str], *, is_asked: bool = False) -> Ended:
        """Have one machine do it, and pass on what it tells."""
        is_here = host == self._reach.here
        argv = (
            part_argv("mlx_pool", ("upgrade", "--json", *flags))
            if is_here
            else remote_argv(self._reach.ssh, host, self._reach.command, flags)
        )
        last, words = "", ""
        try:
            # A Ctrl-C is ours to answer: the machine at work ends what it has begun.
            process = subprocess.Popen(  # noqa: S603 -- ssh, or our own interpreter, with our own words
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            return Ended(127, f"`{argv[0]}` can't be started: {error.strerror}")
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                if (news := read_news(line)) is not None:
                    last = news.told
                    if is_asked or news.step != "plan":  # which has been told when it was asked
                        self._teller.tell(msgspec.structs.replace(news, machine=host))
                elif line.strip():
                    words = line.strip()
        code = process.returncode
        return Ended(code, last if last and code in {0, 1, 2} else trouble_of(host, code, words or last))

    @contextlib.contextmanager
    def _calls_off(self) -> Generator[None]:
        def answer(*_: object) -> None:
            self._is_called_off = True
            self._teller.tell(News(step="note", told="stopping behind the machine that is at work"))

        before = {number: signal.signal(number, answer) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
