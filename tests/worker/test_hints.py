"""What a Mac says of heat and power: its words, and that nothing depends on them."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from tests.conftest import Eventually
from worker.hints import Hints, hints_of, run

THERM_INTEL = """2026-01-10 11:12:13 +0100 CPU Power notify
\tCPU_Scheduler_Limit \t= 100
\tCPU_Available_CPUs \t= 8
\tCPU_Speed_Limit \t= {speed}
"""
THERM_WELL = """Note: No thermal warning level has been recorded
Note: No performance warning level has been recorded
Note: No CPU power status has been recorded
"""
THERM_HOT = """Thermal Warning Level = 2
Note: No performance warning level has been recorded
"""
SETTINGS = """System-wide power settings:
Currently in use:
 standby              1
 powernap             1
 lowpowermode         {low}
 sleep                1 (sleep prevented by caffeinate)
"""
HIGH_POWER = " powermode            2\n"
BATTERY = """Now drawing from '{source}'
 -InternalBattery-0 (id=4653155)\t57%; discharging; 3:21 remaining present: true
"""
WELL = (THERM_WELL, SETTINGS.format(low=0), BATTERY.format(source="AC Power"))


@pytest.mark.parametrize(
    ("therm", "settings", "battery", "hints"),
    [
        (*WELL, ""),
        (THERM_INTEL.format(speed=100), "", "", ""),
        (THERM_INTEL.format(speed=62), "", "", "slowed to 62 % by heat"),
        (THERM_HOT, "", "", "hot"),
        ("", SETTINGS.format(low=1), "", "low power mode"),
        ("", HIGH_POWER, "", ""),
        ("", "", BATTERY.format(source="Battery Power"), "on battery"),
        (
            *(THERM_INTEL.format(speed=50), SETTINGS.format(low=1), BATTERY.format(source="Battery Power")),
            "slowed to 50 % by heat, low power mode, on battery",
        ),
        ("pmset: not found", "\x00", "?", ""),
    ],
)
def test_what_slows_a_mac_is_told_in_words(therm: str, settings: str, battery: str, hints: str) -> None:
    """What is missing or unknown counts as fine."""
    assert hints_of(therm, settings, battery) == hints


class Mac:
    """A Mac that prints what a test says."""

    def __init__(self) -> None:
        self.prints: dict[tuple[str, ...], str] = {("therm",): "", (): SETTINGS.format(low=1), ("batt",): ""}
        self.asked: list[Sequence[str]] = []

    async def run(self, command: Sequence[str]) -> str:
        """Answer as `pmset` does."""
        self.asked.append(command)
        assert command[:2] == ["pmset", "-g"]
        return self.prints[tuple(command[2:])]


async def test_a_mac_is_asked_again_and_again(eventually: Eventually) -> None:
    """Its state changes while it works."""
    mac = Mac()
    hints = Hints("darwin", runner=mac.run, every_s=0)
    watching = asyncio.create_task(hints.watch())
    await eventually(lambda: hints.told == "low power mode")

    mac.prints[()] = ""

    await eventually(lambda: hints.told == "")
    watching.cancel()
    await asyncio.wait([watching])


async def test_elsewhere_nobody_is_asked() -> None:
    """Watching ends at once, and says nothing."""
    mac = Mac()
    hints = Hints("linux", runner=mac.run)

    await hints.watch()

    assert (hints.told, mac.asked) == ("", [])


async def test_a_command_that_is_missing_or_fails_says_nothing() -> None:
    """No hint is worth an error."""
    assert await run(["no-such-command"]) == ""
    assert await run([sys.executable, "-c", "print('well'); raise SystemExit(3)"]) == "well\n"
