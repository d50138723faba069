"""Services that run from an environment, as their units tell."""

from pathlib import Path

import pytest

from mlx_pool.part import part_argv
from mlx_pool.service import systemd
from mlx_pool.service.place import Manager
from mlx_pool.service.want import PartName
from mlx_pool.upgrade.keepers import MANAGERS, part_of
from tests.mlx_pool.service.cases import owner, place, wanted

HERE = Path(part_argv("worker", ())[0]).parent.parent


@pytest.mark.parametrize("manager", ["systemd", "launchd"])
@pytest.mark.parametrize("part", ["worker", "gateway", "up"])
def test_a_unit_tells_what_it_runs_and_from_where(manager: Manager, part: PartName) -> None:
    """Of another environment it is nobody's business here."""
    want = wanted(part=part, argv=("--model", "100% a $model", "--name", 'ada "1"'))
    unit = MANAGERS[manager].installing(want, place(manager), owner()).files[1].text

    argv = MANAGERS[manager].argv_in(unit)

    assert argv[-4:] == want.argv
    assert part_of(argv, HERE) == part
    assert part_of(argv, Path("/opt/other")) is None


def test_a_unit_that_tells_nothing_is_none_of_ours() -> None:
    """Somebody may have put anything there."""
    assert part_of(systemd.argv_in("[Unit]\n"), HERE) is None
    assert part_of((str(HERE / "bin/python"), "-P", "-m", "http.server"), HERE) is None


def test_a_service_is_stopped_and_started_without_being_taken_away() -> None:
    """Its unit and its secrets stay where they are."""
    managers: tuple[Manager, ...] = ("systemd", "launchd")
    works = [
        deed(place(manager), owner())
        for manager in managers
        for deed in (MANAGERS[manager].stopping, MANAGERS[manager].starting)
    ]

    assert all(not (work.files or work.deleted) for work in works)
    said = [[run.argv[:3] for run in (*work.before, *work.after)][-1] for work in works]
    assert [words[1:] for words in said[:2]] == [("--user", "stop"), ("--user", "start")]
    assert [words[1] for words in said[2:]] == ["bootout", "bootstrap"]
