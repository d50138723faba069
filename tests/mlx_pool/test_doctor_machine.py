"""What the doctor says of a machine, by facts that were made up: a Mac's too, wherever this runs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_pool.doctor.ask_machine import ask_machine, free_in_meminfo, free_in_vm_stat
from mlx_pool.doctor.finding import Finding
from mlx_pool.doctor.machine import Machine, Model, judge_machine
from shared.survey import Survey, WorkerView

GB = 1_000_000_000
PMSET = """System-wide power settings:
Currently in use:
 standby              0
 Sleep On Power Button 1
 autorestart          1
 powernap             1
 networkoversleep     0
 disksleep            10
 sleep                {sleep} (sleep prevented by powerd)
 ttyskeepawake        1
 displaysleep         10
 womp                 1
"""
VM_STAT = """Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               10000.
Pages active:                            500000.
Pages inactive:                           20000.
Pages speculative:                         5000.
Pages throttled:                              0.
Pages wired down:                        100000.
Pages purgeable:                           1000.
"""
WORKER = WorkerView(id="mac-1.20.ab", model="tiny", state="ready", slots=4, lease_ends_in_ms=900)


def judged(*workers: WorkerView, platform: str = "darwin", **facts: Any) -> list[Finding]:
    """Everything that is found of a machine with such facts."""
    survey = Survey(
        model="tiny", now_ms=0, waiting={}, running=0, oldest_wait_ms=0, workers=list(workers), dead_letters=0
    )
    return list(judge_machine(Machine(platform=platform, host="mac-1", **facts), [survey]))


def about(findings: list[Finding], what: str) -> list[tuple[str, str]]:
    """Level and sentence of what is found about something."""
    return [(finding.level, finding.told) for finding in findings if finding.about == what]


def test_a_mac_that_sleeps_is_told_unless_its_worker_keeps_it_awake() -> None:
    """A Mac asleep is a machine that died; a worker runs caffeinate."""
    asleep = about(judged(power=PMSET.format(sleep=15)), "power")

    assert [level for level, _ in asleep] == ["warn"]
    assert "15 minutes" in asleep[0][1]
    assert [level for level, _ in about(judged(WORKER, power=PMSET.format(sleep=15)), "power")] == ["ok"]
    assert [level for level, _ in about(judged(power=PMSET.format(sleep=0)), "power")] == ["ok"]


@pytest.mark.parametrize(
    ("power", "battery", "word"),
    [
        (" sleep 0\n lowpowermode 1\n", "", "Low power"),
        (" sleep 0\n", "Now drawing from 'Battery Power'", "battery"),
        (" sleep 0\n autorestart 0\n", "", "power failure"),
    ],
)
def test_what_slows_or_ends_a_mac_is_told(power: str, battery: str, word: str) -> None:
    """By what pmset prints, in the words of who has to switch it."""
    assert any(level == "warn" and word in told for level, told in about(judged(power=power, battery=battery), "power"))


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200))
def test_whatever_a_tool_prints_the_doctor_goes_on(power: str, vm_stat: str, meminfo: str) -> None:
    """Another version of macOS says it otherwise: then that is not known."""
    judged(power=power, battery=power)

    assert (free_in_vm_stat(vm_stat) or 0) >= 0
    assert (free_in_meminfo(meminfo) or 0) >= 0


def test_a_wired_limit_that_leaves_macos_nothing_is_bad() -> None:
    """Set so under load, it has panicked kernels."""
    limits = [about(judged(total_bytes=64 << 30, wired_limit_mb=mb), "wired limit") for mb in (0, 48 << 10, 62 << 10)]

    assert [[level for level, _ in found] for found in limits] == [["ok"], ["ok"], ["bad"]]


@pytest.mark.parametrize(("macos", "is_told"), [("15.1", True), ("26.0", True), ("14.7", False), ("", False)])
def test_the_right_to_the_local_network_is_named_where_macos_may_deny_it(macos: str, is_told: bool) -> None:
    """`No route to host` to a neighbour is how macOS 15 and later says so."""
    assert bool(about(judged(macos=macos, is_host_unreachable=True), "network")) == is_told
    assert not about(judged(macos=macos), "network")


def test_a_model_is_weighed_against_the_machine() -> None:
    """Only where it is to run is too large a model a concern."""
    models = (Model("tiny", 1 * GB), Model("huge", 60 * GB), Model("large", 9 * GB))

    found = about(judged(WORKER, total_bytes=16 * GB, free_bytes=8 * GB, models=models), "models")

    assert [level for level, _ in found] == ["ok", "ok", "ok"]
    assert ["served here" in found[0][1], "too much" in found[1][1], "free here now" in found[2][1]] == [True] * 3
    served = about(judged(WORKER, total_bytes=16 * GB, models=(Model("tiny", 15 * GB),)), "models")
    assert [level for level, _ in served] == ["warn"]


def test_memory_that_is_nearly_gone_or_given_away_twice_is_told() -> None:
    """Several workers on a machine each believe that they have all of it."""
    greedy = [WorkerView(id=f"mac-1.{n}.a", lease_ends_in_ms=1, memory_limit_bytes=12 * GB) for n in (1, 2)]

    assert [level for level, _ in about(judged(total_bytes=16 * GB, free_bytes=GB // 4), "machine")] == ["warn"]
    assert [level for level, _ in about(judged(*greedy, total_bytes=16 * GB, free_bytes=GB), "machine")] == [
        "ok",
        "warn",
    ]


def test_a_card_that_nobody_uses_is_told() -> None:
    """A worker on the CPU beside an NVIDIA card has the wrong wheel."""
    idle = WorkerView(id="mac-1.1.a", lease_ends_in_ms=1, note="CPU, weights float32, OpenBLAS")

    assert about(judged(idle, platform="linux", has_nvidia=True), "compute")
    assert not about(
        judged(WorkerView(id="far.1.a", lease_ends_in_ms=1, note="CPU"), platform="linux", has_nvidia=True), "compute"
    )


def test_free_memory_is_read_as_each_system_tells_it() -> None:
    """What can be had without swapping, in bytes."""
    assert free_in_vm_stat(VM_STAT) == 36_000 * 16_384
    assert free_in_meminfo("MemTotal: 100 kB\nMemAvailable:   2048 kB\n") == 2 << 20
    assert free_in_vm_stat("") is None


def test_this_machine_can_be_looked_at() -> None:
    """Whatever it is: what it does not tell stays unknown, and nothing is raised."""
    machine = ask_machine(None, ())

    assert machine.host
    assert machine.total_bytes is None or machine.total_bytes > 0
    assert ask_machine(None, (), system="darwin").platform == "darwin"
