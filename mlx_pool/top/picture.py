"""What `top` draws: workers with their seats, queues with what waits. The one module of `top` that draws with rich."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlx_pool.terminal import clean
from shared.keys import CLASSES
from shared.survey import Survey, WorkerView

_STYLES = {"ready": "green", "loading": "yellow", "standby": "dim", "draining": "yellow", "sick": "red", "gone": "red"}
_MOST_SEATS = 16  # drawn one by one; of more a bar tells the share
_BAR = 10
_LONG_S = 120
_GIVES_WAY = ("MEMORY", "NOTE")


def picture(surveys: Sequence[Survey], *, trouble: str = "") -> RenderableType:
    """Draw all of it; `trouble` is why it may be old."""
    parts: list[RenderableType] = [_head(surveys)]
    if trouble:
        parts.append(Text(clean(trouble), style="bold red"))
    if surveys:
        parts += [Text(), _queues(surveys)]
    if any(survey.workers for survey in surveys):
        parts += [Text(), _workers(surveys)]
    return Group(*parts)


def _head(surveys: Sequence[Survey]) -> Text:
    ready = [worker for survey in surveys for worker in survey.ready_workers]
    words = (
        f"{len(ready)} worker(s) ready on {len({worker.host or worker.id for worker in ready})} machine(s)",
        f"{sum(worker.busy for worker in ready)} of {sum(worker.slots for worker in ready)} seats taken",
        f"{sum(worker.tokens_per_second for worker in ready):.0f} tokens/s",
        f"{sum(survey.waiting_total for survey in surveys)} waiting",
    )
    return Text(" · ".join(words), style="bold", no_wrap=True, overflow="ellipsis")


def _queues(surveys: Sequence[Survey]) -> Table:
    table = _table("QUEUE", *(name.upper() for name in CLASSES), "RUNNING", "OLDEST", "EXPECTED", "DEAD")
    for survey in surveys:
        waits = [survey.waiting.get(name, 0) for name in CLASSES]
        _add(
            table,
            clean(survey.model),
            *(str(count) if count else "·" for count in waits),
            str(survey.running),
            seconds(survey.oldest_wait_ms) if survey.waiting_total else "·",
            "?" if survey.expected_wait_ms is None else seconds(survey.expected_wait_ms),
            Text(str(survey.dead_letters), style="red") if survey.dead_letters else "·",
        )
    return table


def _workers(surveys: Sequence[Survey]) -> Table:
    table = _table("WORKER", "MODEL", "STATE", "SEATS", "TOKENS/S", "MEMORY", "CACHED", "NOTE")
    for survey in surveys:
        for worker in sorted(survey.workers, key=lambda each: each.id):
            _add(
                table,
                clean(worker.id),
                clean(survey.model),
                Text(state(worker), style=_STYLES.get(worker.state, "")),
                seats(worker),
                f"{worker.tokens_per_second:.0f}" if worker.tokens_per_second else "·",
                Text(memory(worker), style={"soft": "yellow", "hard": "red"}.get(worker.pressure, "")),
                cached(worker),
                clean(worker.note),
            )
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings:
        # Where room is short, these give way before the others do; their cells keep to a line by themselves.
        table.add_column(heading, no_wrap=heading not in _GIVES_WAY, overflow="ellipsis")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    """Add a row; what stands in a cell is text, never rich's markup."""
    texts = [Text(cell) if isinstance(cell, str) else cell for cell in cells]
    for text in texts:
        text.no_wrap = True
    table.add_row(*texts)


def state(worker: WorkerView) -> str:
    """Tell its state, and how far a model is loaded."""
    is_under_way = worker.state == "loading" and worker.progress > 0
    return f"loading {worker.progress:.0%}" if is_under_way else clean(worker.state)


def seats(worker: WorkerView) -> str:
    """Draw the seats, taken ones first."""
    if not worker.slots:
        return "·"
    if worker.slots <= _MOST_SEATS:
        return "●" * min(worker.busy, worker.slots) + "○" * max(0, worker.slots - worker.busy)
    return f"{_bar(worker.busy / worker.slots)} {worker.busy}/{worker.slots}"


def memory(worker: WorkerView) -> str:
    """Draw what it holds of what it may have."""
    if not worker.memory_bytes:
        return "·"
    held = f"{worker.memory_bytes / 2**30:.1f} GiB"
    if not worker.memory_limit_bytes:
        return held
    parts = (_bar(worker.memory_bytes / worker.memory_limit_bytes), held, clean(worker.pressure))
    return " ".join(part for part in parts if part)


def cached(worker: WorkerView) -> str:
    """Tell which share of the prompts needed no reading."""
    return f"{worker.cache_saved_tokens / worker.prompt_tokens:.0%}" if worker.prompt_tokens else "·"


def seconds(ms: int) -> str:
    """Tell a time as short as it is long."""
    return f"{ms / 1_000:.1f} s" if ms < _LONG_S * 1_000 else f"{ms / 60_000:.0f} min"


def _bar(share: float) -> str:
    full = round(min(1.0, max(0.0, share)) * _BAR)
    return "█" * full + "░" * (_BAR - full)
