"""One look at what was started: its processes here, and what they tell of themselves in the queues."""

import asyncio

from mlx_pool.up.address import local_host
from mlx_pool.up.health import Door, look
from shared.errors import PoolError
from shared.survey import WorkerView

from .health import Seen
from .pool import surveys
from .processes import Process, processes, tree, workers
from .restart import state_of
from .turns import Turn, ours


def seen_of(turn: Turn, queues: frozenset[str], others: frozenset[int]) -> Seen:
    """Look at a turn's processes, but for `others`, which have turns of their own."""
    keeper, pid = state_of(turn)
    pids = processes_of(turn, tree(processes(), pid) if pid else [], others)
    views, trouble = _views(turn, queues, pids)
    answers = turn.door is None or _answers(turn.door)
    return Seen(keeper=keeper, pids=pids, views=views, answers=answers, trouble=trouble)


def processes_of(turn: Turn, below: list[Process], others: frozenset[int] = frozenset()) -> tuple[int, ...]:
    """Choose whose health is the turn's: its workers, where it has any, else its gateway, else its first process."""
    if turn.ran:
        return tuple(each.pid for each in workers(below) if each.pid not in others)
    gateways = [each.pid for each in below if each.runs("gateway")]
    return tuple(gateways or [each.pid for each in below[:1]])


def _views(turn: Turn, queues: frozenset[str], pids: tuple[int, ...]) -> tuple[tuple[tuple[str, WorkerView], ...], str]:
    if not turn.ran or turn.url is None:
        return (), ""
    try:
        found = surveys(turn.url, queues | turn.queues)
    except PoolError as error:
        return (), error.message
    return tuple(
        (survey.model, view) for survey in found for pid in pids for view in ours(survey.live_workers, pid, turn.names)
    ), ""


def _answers(door: tuple[str, int]) -> bool:
    host, port = door
    return asyncio.run(look(Door(local_host(host), port))) != "down"
