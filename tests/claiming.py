"""Taking jobs in the order in which they came: for tests to which one job is like another."""

from shared.claims import Claimed, Claims
from shared.window import Window
from worker.placement import WHEEL


async def claim(worker: Claims, free: int = 1, *, held: int = 0, turn: int = 0, yields: bool = False) -> list[Claimed]:
    """Look and take, up to so many; one that `yields` takes none while another worker is free."""
    claimed: list[Claimed] = []
    while True:
        window = await worker.look()
        count = len(claimed)
        entries = in_turn(window, free - count, held=held + count, turn=turn + count)
        if not entries or (yields and window.another_is_free):
            return claimed
        claimed += await worker.take(entries)


def in_turn(window: Window, free: int, *, held: int, turn: int) -> list[str]:
    """The entries that are next: given back ones, then class by class as the wheel has it, suspects alone."""
    if window.is_suspect_due:
        return [] if held or not free else [window.suspect]
    queues: dict[str, list[str]] = {}
    for job in sorted(window.waiting, key=lambda job: _place(job.entry)):
        queues.setdefault(job.cls, []).append(job.entry)
    entries: list[str] = []
    while any(queues.values()) and len(entries) < free:
        order = ("re", WHEEL[(turn + len(entries)) % len(WHEEL)], "hi", "std", "lo")
        entries.append(next(queues[name] for name in order if queues.get(name)).pop(0))
    return entries or ([window.suspect] if window.suspect and free and not held else [])


def _place(entry: str) -> tuple[int, ...]:
    return tuple(int(number) for number in entry.partition(":")[2].split("-"))
