"""A tenant who keeps many jobs asked for, from a process of its own, so that it costs those who measure nothing."""

import contextlib
from collections.abc import Callable, Generator

from bench.rig.partner import Partner

from .besides import Disturbance, Site
from .greed import AFTER_S, Count, Counted


def greedy_tenant(jobs: int) -> Disturbance:
    """Keeps so many asked for; it begins when the others have been seen."""

    @contextlib.contextmanager
    def disturb(site: Site) -> Generator[Callable[[], str]]:
        flags = ("--port", str(site.port), "--jobs", str(jobs), "--after-s", str(AFTER_S))
        with Partner(site.folder, "bench.replay.greed", *flags, env={"GREEDY_KEY": site.keys[-1]}) as greedy:

            def told() -> str:
                counted = greedy.ask(Count(), Counted)
                return f"{counted.done:,} served, {counted.turned_away:,} turned away, {counted.failed} failed"

            yield told

    return disturb
