"""A service of macOS, decided on any machine: its property list as launchd reads it, and what is said to launchd."""

import plistlib
from pathlib import Path
from typing import Any

import pytest

from mlx_pool.service import launchd
from mlx_pool.service.standing import Standing
from mlx_pool.service.want import Scope
from mlx_pool.service.work import Work

from .cases import SECRET, WANT, owner, place, wanted

RUNNING = """gui/501/mlx-pool.worker = {
\tactive count = 1
\tpath = /Users/ada/Library/LaunchAgents/mlx-pool.worker.plist
\tstate = running

\tprogram = /usr/bin/python3
\tpid = 4711
\tlast exit code = 1

\tspawn type = interactive (4)
\tendpoints = {
\t\tstate = active
\t}
}
"""
ENDED = (
    RUNNING.replace("state = running", "state = not running").replace("\tpid = 4711\n", "").replace("= 1\n", "= 2\n")
)


def work(scope: Scope = "user", **changes: object) -> Work:
    """What installing it would do."""
    return launchd.installing(wanted(**changes), place("launchd", scope), owner(scope))


def plist(scope: Scope = "user", **changes: object) -> dict[str, Any]:
    """The property list, read back."""
    return plistlib.loads(work(scope, **changes).files[1].text.encode())


def test_it_is_started_at_once_and_again_whenever_it_ends() -> None:
    """A crash is made good, and a drain is a restart; not so often that a mistake keeps the machine busy."""
    told = plist()

    assert told["RunAtLoad"] is True
    assert told["KeepAlive"] is True
    assert told["ThrottleInterval"] >= 5


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({}, 60),
        ({"argv": ()}, 30),
        ({"argv": ("--drain-s=600",)}, 600),
        ({"part": "up", "argv": ()}, 75),
        ({"argv": ("--drain-s", "long")}, 30),
    ],
)
def test_it_has_more_time_to_end_than_it_drains(changes: dict[str, Any], least: int) -> None:
    """Else launchd kills it while it hands its jobs over."""
    assert least < plist(**changes)["ExitTimeOut"] <= least + 60


def test_the_secret_stands_in_its_own_file_only() -> None:
    """Not in the property list, which anybody may read, nor in the command line, which `ps` shows."""
    files = work().files

    assert SECRET in files[0].text
    assert files[0].is_secret
    assert "s3cret" not in files[1].text
    assert str(files[0].path) in plist()["ProgramArguments"]


def test_the_part_has_its_own_flags_and_the_folder_that_they_are_meant_from() -> None:
    """As if it were started where it was installed."""
    told = plist()

    assert told["ProgramArguments"][-5:] == ["worker", *WANT.argv]
    assert told["ProgramArguments"][1:4] == ["-P", "-m", "mlx_pool.service.keep"]
    assert told["WorkingDirectory"] == WANT.folder


def test_it_is_not_slowed_down_as_something_in_the_background() -> None:
    """And a gateway may have its ten thousand connections."""
    assert plist()["ProcessType"] == "Interactive"
    assert plist()["SoftResourceLimits"]["NumberOfFiles"] >= 10_256


def test_a_service_of_ones_own_is_an_agent() -> None:
    """All of it lies in one's own folders, and root is not needed."""
    done, mine = work(), place("launchd")

    assert mine.unit == Path("/home/ada/Library/LaunchAgents/mlx-pool.worker.plist")
    assert all(file.path.is_relative_to("/home/ada/Library") for file in done.files)
    assert "UserName" not in plist()
    assert done.after[-1].argv == ("launchctl", "bootstrap", "gui/501", str(mine.unit))
    assert any("--system" in hint for hint in done.hints)


def test_a_service_of_the_machine_is_a_daemon_that_runs_as_a_user() -> None:
    """It never runs as root, and finds that user's home."""
    done, told = work("system"), plist("system")

    assert done.files[1].path == Path("/Library/LaunchDaemons/mlx-pool.worker.plist")
    assert (told["UserName"], told["EnvironmentVariables"]) == ("ada", {"HOME": "/home/ada"})
    assert done.after[-1].argv[:3] == ("launchctl", "bootstrap", "system")


def test_the_one_before_may_drain_before_the_new_one_starts() -> None:
    """No second one is let in meanwhile, so launchd is asked again for as long as that may take."""
    done = work()

    assert done.before[0].argv == ("launchctl", "bootout", "gui/501/mlx-pool.worker")
    assert done.before[0].is_optional
    assert done.after[-1].within_s > plist()["ExitTimeOut"]


def test_removing_it_leaves_nothing_but_its_log() -> None:
    """The secret goes, too."""
    mine = place("launchd")

    gone = launchd.removing(mine, owner())

    assert gone.before[0].argv[1] == "bootout"
    assert set(gone.deleted) == {mine.unit, mine.env_file}


@pytest.mark.parametrize(
    ("told", "code", "standing"),
    [
        (RUNNING, 0, Standing(state="running", pid=4711, last_exit_code=1)),
        (ENDED, 0, Standing(state="stopped", last_exit_code=2)),
    ],
)
def test_how_it_stands_is_read_from_what_launchd_tells(told: str, code: int, standing: Standing) -> None:
    """Its own state, not that of what it is made of."""
    assert launchd.standing_in(told, code) == standing


def test_one_that_launchd_does_not_know_is_stopped() -> None:
    """A line says what to do."""
    assert "log in" in launchd.standing_in("Could not find service", 113).detail


def test_its_log_is_a_file() -> None:
    """Followed also when it is put aside and begun anew."""
    assert launchd.showing_logs(place("launchd"), 50, follow=True) == (
        *("tail", "-n", "50", "-F"),
        "/home/ada/Library/Logs/mlx-pool/worker.log",
    )
