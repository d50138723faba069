"""What a Mac says of heat and power, for the worker's note: read each half minute, beside all work, and never an error.

`pmset` is the one way that needs neither rights nor a library. What it leaves out counts as fine: Macs differ in what
they tell. Elsewhere nothing is read.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence

import structlog

EVERY_S = 30.0
_ANSWER_WITHIN_S = 5.0
_SPEED = re.compile(r"^\s*CPU_Speed_Limit\s*=\s*(\d+)", re.MULTILINE)
_THERMAL = re.compile(r"^\s*(?:Thermal|Performance) Warning Level\s*=\s*[1-9]", re.MULTILINE)
_LOW_POWER = re.compile(r"^\s*(?:lowpowermode|powermode)\s+1\b", re.MULTILINE)

Runner = Callable[[Sequence[str]], Awaitable[str]]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def hints_of(therm: str, settings: str, battery: str) -> str:
    """Put into words what `pmset -g therm`, `-g` and `-g batt` printed; no word where all is well or none is told."""
    speed = _SPEED.search(therm)
    hints: list[str] = []
    if speed and int(speed[1]) < 100:
        hints.append(f"slowed to {speed[1]} % by heat")
    elif _THERMAL.search(therm):
        hints.append("hot")
    if _LOW_POWER.search(settings):
        hints.append("low power mode")
    if "'Battery Power'" in battery:
        hints.append("on battery")
    return ", ".join(hints)


async def run(command: Sequence[str]) -> str:
    """What a command prints; nothing where there is none, or where it takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            printed, _ = await process.communicate()
    except TimeoutError:
        return ""
    else:
        return printed.decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


class Hints:
    """The machine's state in a few words, kept up to date by `watch`."""

    def __init__(self, platform: str, *, runner: Runner = run, every_s: float = EVERY_S) -> None:
        self.told = ""
        self._platform = platform
        self._runner = runner
        self._every_s = every_s

    async def watch(self) -> None:
        """Read for ever; on a system that has no `pmset`, return."""
        while self._platform == "darwin":
            said = [await self._runner(["pmset", "-g", *what]) for what in (["therm"], [], ["batt"])]
            self._take(hints_of(*said))
            await asyncio.sleep(self._every_s)

    def _take(self, told: str) -> None:
        if told != self.told:
            _log.info("machine_hints", told=told or "fine again")
        self.told = told
