"""A model that does not fit is told with numbers, before its weights are read."""

from pathlib import Path

import pytest

from shared.errors import Fault, Refused
from worker.engine.load.compute import Compute
from worker.engine.load.folder import read_folder
from worker.engine.load.memory import available_bytes, total_bytes
from worker.engine.load.room import lack_of_room, weight_bytes
from worker.engine.load.weights import load_parts

GB = 1_000_000_000


def machine(*, total: int | None, free: int | None) -> Compute:
    """A machine of this memory."""
    return Compute("a CPU", is_cpu=True, free_bytes=free, total_bytes=total)


def test_what_the_machine_can_never_hold_is_refused() -> None:
    """No waiting helps: the operator has to choose a smaller model."""
    lack = lack_of_room("large", 17 * GB, machine(total=16 * GB, free=None))

    assert isinstance(lack, Refused)
    assert lack.message.startswith("large needs 17.3 GB of memory, 17.0 GB of it for weights, and there are 16.0 GB")


def test_what_others_stand_in_the_way_of_is_a_fault() -> None:
    """Another program may end: the engine is started again later."""
    lack = lack_of_room("large", 9 * GB, machine(total=16 * GB, free=8 * GB))

    assert isinstance(lack, Fault)
    assert "only 8.0 GB are free" in lack.message


def test_unknown_sizes_are_taken_as_enough() -> None:
    """A machine that does not tell is tried."""
    assert lack_of_room("large", 99 * GB, machine(total=None, free=None)) is None
    assert lack_of_room("small", GB, machine(total=2 * GB, free=2 * GB)) is None


def test_nothing_is_read_of_what_does_not_fit(tiny_model: Path) -> None:
    """The engine asks before it loads."""
    folder = read_folder(tiny_model)

    with pytest.raises(Refused, match="tiny needs"):
        load_parts(folder, None, machine(total=1000, free=None), lambda message, done: pytest.fail(message))

    assert weight_bytes(folder, None) > 12_000_000


def test_a_container_is_a_machine(tmp_path: Path) -> None:
    """What is there in all is the machine's or the container's, whichever is less."""
    (tmp_path / "meminfo").write_text("MemTotal:  4000 kB\nMemAvailable:    1000 kB\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    limited = total_bytes(tmp_path, tmp_path)
    (tmp_path / "memory.max").write_text("max\n")

    assert limited == 3_000_000
    assert total_bytes(tmp_path, tmp_path) == 4_096_000
    assert total_bytes(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(
    "group", ["/system.slice/pool.service", "/system.slice/pool.service/engine", "/elsewhere", "/.."]
)
def test_a_services_limit_counts_as_a_containers_does(tmp_path: Path, group: str) -> None:
    """Of systemd's `MemoryMax`, say: what goes beyond it the kernel kills, however much the machine has."""
    service = tmp_path / "system.slice" / "pool.service"
    (service / "engine").mkdir(parents=True)
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(f"4:memory:/old\n0::{group}\n")
    (tmp_path / "meminfo").write_text("MemTotal:  4000 kB\nMemAvailable:    3000 kB\n")
    for name, value in (("max", "2000000"), ("current", "1500000"), ("stat", "anon 5\ninactive_file 300000")):
        (service / f"memory.{name}").write_text(f"{value}\n")

    sizes = total_bytes(tmp_path, tmp_path), available_bytes(tmp_path, tmp_path)

    assert sizes == ((2_000_000, 800_000) if "pool" in group else (4_096_000, 3_072_000))
