"""Scenarios of the table, short. `make chaos` runs each of them for longer, with a new seed each time."""

import asyncio
import secrets
from pathlib import Path

import msgspec
import pytest

from tests.chaos.checker import check
from tests.chaos.namespace import is_possible
from tests.chaos.report import report
from tests.chaos.rules import Rules
from tests.chaos.run import run
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.verdict import all_hold

EVERYDAY = ("killed-workers", "killed-gateways")
SECONDS = 5.0


def untimed(scenario: Scenario) -> Scenario:
    """Hold a short run to what must be true however busy the machine is; how fast is asked of `make chaos` only.

    Nor how much was tried: a few seconds may pass before a nemesis first strikes.
    """
    rules = msgspec.structs.replace(
        scenario.rules,
        min_struck=0,
        gap_s=None,
        stall_s=60.0,
        refused_s=None,
        back_s=None,
        cancel_p99_s=None,
        fairness=None,
    )
    return msgspec.structs.replace(scenario, rules=rules)


async def passes(name: str, folder: Path, *, seconds: float | None = None) -> None:
    """Run a scenario under a new seed, which a failure tells."""
    scenario, seed = untimed(SCENARIOS[name]), secrets.randbits(32)
    if scenario.needs_namespaces and not is_possible():
        pytest.skip("no network namespaces here")

    async with asyncio.timeout(110):
        records = await run(scenario, seed=seed, seconds=seconds or min(SECONDS, scenario.seconds), folder=folder)

    verdicts = check(records)
    assert all_hold(verdicts), f"--scenario {name} --seed {seed}: {folder}\n{report(verdicts)}"


@pytest.mark.parametrize("name", EVERYDAY)
async def test_a_pool_lives_through(name: str, tmp_path: Path) -> None:
    """The promises hold while workers, and while gateways, are killed."""
    await passes(name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [name for name, scenario in SCENARIOS.items() if name not in EVERYDAY and not scenario.is_figure]
)
async def test_a_pool_lives_through_all_of_the_table(name: str, tmp_path: Path) -> None:
    """The promises hold in every scenario."""
    await passes(name, tmp_path)


async def test_the_apparatus_can_fail(tmp_path: Path) -> None:
    """A run in which a job ends otherwise than its scenario wants breaks C1, and nothing else."""
    poison = SCENARIOS["poison"]
    load = msgspec.structs.replace(poison.load, clients=2, villains={"[[crash@5]]": 1})
    unaware = msgspec.structs.replace(poison, load=load, rules=Rules(min_struck=0))

    records = await run(unaware, seed=1, seconds=2.0, folder=tmp_path)

    assert [verdict.rule for verdict in check(records) if not verdict.holds] == ["C1"]
