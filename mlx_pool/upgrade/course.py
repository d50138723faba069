"""The upgrade of one machine, turn by turn; at the first that is not well again, everything goes back."""

import time
from collections.abc import Iterator
from typing import Final

from mlx_pool.failure import CommandError

from .fetch import Fetched
from .health import Verdict, Wanted, Watch
from .installation import NAME
from .look import processes_of, seen_of
from .news import News, Step, Teller
from .order import Order
from .processes import processes, tree
from .restart import last_lines, start, state_of, stop
from .trees import Beside, copy, swap
from .turns import Turn, in_words, merged

_LOOK_EVERY_S: Final = 0.25


class Course:
    """Carries out what lies ready in `next`."""

    def __init__(self, order: Order, fetched: Fetched, beside: Beside, teller: Teller) -> None:
        self._order = order
        self._fetched = fetched
        self._beside = beside
        self._teller = teller
        self._is_swapped = False
        self._touched: list[Turn] = []
        self._settled: set[int] = set()  # processes that have been started anew, and are well

    def run(self) -> bool:
        """Take all turns; False where it went back, and the old version runs again, or should."""
        for turn in self._order.turns:
            self._touched.append(turn)
            verdict = self._take(turn)
            if verdict.state == "ill":
                self._tell("ill", verdict.words, turn, log=tuple(_log(turn)))
                self._go_back(turn)
                return False
            self._tell("well", verdict.words, turn)
        if not self._order.turns:
            self._swap()
        return True

    def _take(self, turn: Turn) -> Verdict:
        try:
            return self._replace(turn)
        except Exception as error:  # noqa: BLE001 -- whatever it was, no machine is left between two versions
            return Verdict("ill", str(error) or repr(error))

    def _replace(self, turn: Turn) -> Verdict:
        """Have it end, and begin anew from the new environment."""
        others = self._others(turn)
        if turn.kind == "up":
            self._swap()  # `up` starts the next one as soon as this one has ended
        self._end(turn, others, "finishes what it runs, or hands it over")
        if turn.kind == "service":
            self._swap()
            start(turn)
        verdict = self._watch(turn, others, self._fetched.version)
        self._settled.update(set(self._pids_now(turn)) - others)
        return verdict

    def _end(self, turn: Turn, others: frozenset[int], told: str) -> None:
        self._tell("drain", told, turn)
        stop(turn, tuple(pid for pid in self._pids_now(turn) if pid not in others))

    def _swap(self) -> None:
        if not self._is_swapped:
            swap(self._beside)
            self._is_swapped = True
            self._tell("swap", f"{self._beside.prefix} is {NAME} {self._fetched.version} now")

    def _watch(self, turn: Turn, others: frozenset[int], version: str) -> Verdict:
        """Look at it until that is decided."""
        wanted = Wanted(
            version=version,
            workers=sum(bool(ran.queues) for ran in turn.ran),
            queues=turn.queues,
            settle_s=self._order.settle_s,
            limit_s=self._order.wait_s,
        )
        watch, said = Watch(wanted, time.monotonic()), ""
        while True:
            verdict = watch.judge(seen_of(turn, self._order.queues, others), time.monotonic())
            if verdict.state != "waiting":
                return verdict
            if verdict.words != said:
                said = verdict.words
                self._tell("wait", said, turn)
            time.sleep(_LOOK_EVERY_S)

    def _others(self, turn: Turn) -> frozenset[int]:
        """Of an `up`, the workers whose turn it is not: those that wait for theirs, and those that have had it."""
        if turn.kind == "service":
            return frozenset()
        waiting = {ran.pid for each in self._order.turns if each not in self._touched for ran in each.ran}
        return frozenset(waiting | self._settled)

    def _pids_now(self, turn: Turn) -> tuple[int, ...]:
        _, pid = state_of(turn)
        return processes_of(turn, tree(processes(), pid)) if pid else ()

    # --- the way back -------------------------------------------------------------------------------------------

    def _go_back(self, ill: Turn) -> None:
        """Put the old environment back, and have all that was touched run from it."""
        if self._is_swapped:
            if ill.kind == "service":
                self._try_to_stop(ill)  # else it goes on ending and starting meanwhile
            copy(self._beside.before, self._beside.next)
            swap(self._beside)
            self._tell("back", f"{self._beside.prefix} is {NAME} {self._order.installed.version} again")
        wrong = list(self._restored())
        version = self._order.installed.version
        if wrong:
            self._tell("failed", f"{NAME} {version} is back, but not all is well: {'; '.join(wrong)}")
        else:
            self._tell("undone", f"all that was touched runs {NAME} {version} again, and is well")

    def _restored(self) -> Iterator[str]:
        self._settled.clear()
        for turn in merged(self._touched):
            try:
                others = self._others(turn)
                self._end(turn, others, "goes back")
                start(turn)
                verdict = self._watch(turn, others, self._order.installed.version)
            except Exception as error:  # noqa: BLE001 -- the others have to come back, too
                verdict = Verdict("ill", str(error) or repr(error))
            self._tell("well" if verdict.state == "well" else "ill", verdict.words, turn)
            if verdict.state != "well":
                yield f"{in_words(turn)}: {verdict.words}"

    def _try_to_stop(self, turn: Turn) -> None:
        try:
            stop(turn, ())
        except (CommandError, OSError) as error:
            self._tell("note", str(error), turn)

    def _tell(self, step: Step, told: str, turn: Turn | None = None, *, log: tuple[str, ...] = ()) -> None:
        self._teller.tell(News(step=step, told=told, part=in_words(turn) if turn else "", log=log))


def _log(turn: Turn) -> list[str]:
    try:
        return last_lines(turn)
    except (CommandError, OSError):
        return []
