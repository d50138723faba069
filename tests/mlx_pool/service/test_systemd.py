"""A service of Linux: its unit as systemd reads it, and what is said to systemd."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from mlx_pool.service import systemd
from mlx_pool.service.standing import Standing
from mlx_pool.service.want import Scope
from mlx_pool.service.work import Work

from .cases import SECRET, owner, place, wanted

ANALYZE = shutil.which("systemd-analyze")


def work(scope: Scope = "user", **changes: object) -> Work:
    """What installing it would do."""
    return systemd.installing(wanted(**changes), place("systemd", scope), owner(scope))


def unit(scope: Scope = "user", **changes: object) -> configparser.ConfigParser:
    """The unit, read back."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] names keep their case
    parser.read_string(work(scope, **changes).files[1].text)
    return parser


def test_it_is_started_again_unless_it_can_not_work() -> None:
    """A drain is a restart; exit code 2 is something to correct: a hundred starts would not do it."""
    told = unit()["Service"]

    assert (told["Restart"], told["RestartPreventExitStatus"]) == ("always", "2")
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def test_only_the_agent_is_told_to_end_and_has_time_to_drain() -> None:
    """The engine that it drains is not ended under it."""
    told = unit()["Service"]

    assert told["KillMode"] == "mixed"
    assert int(told["TimeoutStopSec"]) > 60


def test_the_secret_stands_in_its_own_file_only() -> None:
    """Not in the unit, which anybody may read."""
    files = work().files

    assert SECRET in files[0].text
    assert files[0].is_secret
    assert "s3cret" not in files[1].text
    assert unit()["Service"]["EnvironmentFile"] == str(files[0].path)


def test_words_reach_the_part_as_they_were_given() -> None:
    """Though % and $ are expanded in a command line, and blanks part it."""
    told = unit(argv=("--model", "a b", "--engine-args", '50% "$x" \\'))["Service"]["ExecStart"]

    assert told.endswith(r'-m worker --model "a b" --engine-args "50%% \"$$x\" \\"')


def test_an_up_is_a_service_too() -> None:
    """By the command that starts it, with time for all of its parts to end."""
    told = unit(part="up", argv=("--workers", "2"))["Service"]

    assert told["ExecStart"].endswith("-m mlx_pool up --workers 2")
    assert int(told["TimeoutStopSec"]) > 75


def test_a_service_of_ones_own_needs_no_root() -> None:
    """It lies in one's own folders; a line says how it outlives a log-out."""
    done = work()

    assert done.files[1].path == Path("/home/ada/.config/systemd/user/mlx-pool-worker.service")
    assert all(run.argv[:2] == ("systemctl", "--user") for run in done.after)
    assert unit()["Install"]["WantedBy"] == "default.target"
    assert any("enable-linger" in hint for hint in done.hints)


def test_without_a_session_nothing_is_written() -> None:
    """Whether somebody is there to start it is asked first, and what to do is said."""
    [asked] = work().before

    assert asked.argv == ("systemctl", "--user", "show-environment")
    assert "--system" in asked.advice


def test_a_service_of_the_machine_runs_as_a_user() -> None:
    """Never as root, and only once there is a network."""
    told = unit("system")

    assert told["Service"]["User"] == "ada"
    assert told["Unit"]["After"] == "network-online.target"
    assert work("system").files[0].path == Path("/etc/mlx-pool/worker.env")
    assert work("system").after[-1].argv == ("systemctl", "restart", "mlx-pool-worker.service")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("scope", ["user", "system"])
@pytest.mark.parametrize("part", ["worker", "up"])
def test_systemd_finds_nothing_wrong_with_a_unit(scope: Scope, part: str, tmp_path: Path) -> None:
    """As its own checker reads it."""
    assert ANALYZE
    path = tmp_path / "mlx-pool-worker.service"
    path.write_text(work(scope, part=part, folder=str(tmp_path), argv=("--model", 'a "b" 50% $c')).files[1].text)

    checked = subprocess.run(
        [ANALYZE, "verify", f"--{scope}", "--man=no", str(path)], capture_output=True, text=True, check=False
    )

    assert [line for line in checked.stderr.splitlines() if path.name in line] == []


def test_removing_it_leaves_nothing_but_its_log() -> None:
    """The secret goes, too."""
    mine = place("systemd")

    gone = systemd.removing(mine, owner())

    assert gone.before[0].argv == ("systemctl", "--user", "disable", "--now", "mlx-pool-worker.service")
    assert set(gone.deleted) == {mine.unit, mine.env_file}


@pytest.mark.parametrize(
    ("told", "standing"),
    [
        ("ActiveState=active\nMainPID=4711\nExecMainStatus=0\n", Standing(state="running", pid=4711)),
        ("ActiveState=inactive\nMainPID=0\nExecMainStatus=0\n", Standing(state="stopped", last_exit_code=0)),
        (
            "ActiveState=failed\nMainPID=0\nExecMainStatus=1\nResult=exit-code\n",
            Standing(state="failed", last_exit_code=1, detail="exit-code"),
        ),
    ],
)
def test_how_it_stands_is_read_from_what_systemd_tells(told: str, standing: Standing) -> None:
    """Between two starts it does not run."""
    assert systemd.standing_in(told, 0) == standing


def test_what_has_to_be_corrected_is_said() -> None:
    """A wrong password is not made right by waiting."""
    told = systemd.standing_in("ActiveState=failed\nMainPID=0\nExecMainStatus=2\nResult=exit-code\n", 0)

    assert "corrected" in told.detail


def test_its_log_is_the_journals() -> None:
    """Of this unit alone."""
    assert systemd.showing_logs(place("systemd"), 50, follow=False) == (
        *("journalctl", "--user-unit", "mlx-pool-worker.service", "--output=cat", "--lines", "50"),
    )
