"""`python -m mlx_pool.upgrade.work`: one machine's upgrade at work, from an order on stdin.

It runs from the copy of the old environment, since the one that it was called from is replaced. Once something has been
stopped it can't be interrupted any more: whoever called may go away, it ends what it has begun.
"""

import signal
import sys
import time

from mlx_pool.failure import CommandError
from mlx_pool.up.screen import choose_screen

from .course import Course
from .fetch import Fetched, fetch
from .news import AsJson, News, OnScreen, Teller
from .order import Order, decode_order
from .trees import Beside, remove
from .wanted import shown

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Carry the order out; 0 where the machine runs what was wanted, 1 where not, 130 where it was called off."""
    began = time.monotonic()
    order = decode_order(sys.stdin.buffer.read())
    beside = Beside(order.installed.prefix)
    teller: Teller = AsJson(order.machine, began) if order.as_json else OnScreen(choose_screen())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return 0 if _carried_out(order, beside, teller, began) else 1
    except (CommandError, OSError) as error:
        teller.tell(News(step="failed", told=f"{error} Nothing was changed."))
        return error.exit_code if isinstance(error, CommandError) else 1
    except KeyboardInterrupt:
        teller.tell(News(step="failed", told="Called off; nothing was changed."))
        return 130
    finally:
        remove(beside.next)


def _carried_out(order: Order, beside: Beside, teller: Teller, began: float) -> bool:
    teller.tell(News(step="fetch", told=f"{shown(order.wanted)} comes beside {order.installed.version}"))
    fetched = fetch(order, beside)
    if not fetched.changes:
        teller.tell(News(step="done", told=f"mlx-pool {fetched.version} is what runs here already"))
        return True
    teller.tell(News(step="note", told=", ".join(fetched.changes)))
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    return _taken(order, fetched, beside, teller, began)


def _taken(order: Order, fetched: Fetched, beside: Beside, teller: Teller, began: float) -> bool:
    if not Course(order, fetched, beside, teller).run():
        return False
    seconds = time.monotonic() - began
    told = f"{order.machine} runs mlx-pool {fetched.version}, after {seconds:.1f} s"
    teller.tell(News(step="done", told=told, seconds=round(seconds, 3)))
    return True


if __name__ == "__main__":
    sys.exit(main())
