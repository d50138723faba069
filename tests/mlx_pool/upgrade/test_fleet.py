"""Machines one after the other, over a program that stands for ssh."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_pool.failure import Unusable
from mlx_pool.upgrade.fleet import Ended, hosts_named, hosts_of, outcome, remote_argv
from mlx_pool.upgrade.news import News, read_news
from mlx_pool.upgrade.ssh import Fleet, Reach

from .cases import survey, view

# Notes what it was asked for, and answers as the machine would: mac-2 can't be upgraded, mac-3 can't be reached.
SSH = """\
#!/bin/sh
while [ $# -gt 2 ]; do shift; done
echo "$1 $2" >>"$NOTES"
case "$1 $2" in
mac-3*) echo "ssh: connect to host mac-3: Connection refused" >&2; exit 255;;
*--dry-run*) echo '{"step":"plan","told":"planned"}';;
mac-2*) echo '{"step":"undone","told":"all is as before"}'; exit 1;;
*) echo Welcome; echo '{"step":"done","told":"runs 2.0"}';;
esac
"""


class Told:
    """Keeps the news."""

    def __init__(self) -> None:
        self.news: list[News] = []

    def tell(self, news: News) -> None:
        """Keep it."""
        self.news.append(news)


Asked = Callable[[], list[str]]


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Reach, Asked]:
    """How machines are reached, and what gives the machines that were asked to do it, in their order."""
    program, notes = tmp_path / "ssh", tmp_path / "notes"
    program.write_text(SSH)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("NOTES", str(notes))

    def asked() -> list[str]:
        return [line.split()[0] for line in notes.read_text().splitlines() if "--dry-run" not in line]

    return Reach(ssh=f"{program} -p 2222", command="mlx-pool", here="vm"), asked


def test_machines_are_upgraded_one_after_the_other(ssh: tuple[Reach, Asked]) -> None:
    """Each tells what happens there, under its name; a shell's greeting is no news."""
    reach, asked = ssh
    told = Told()

    code = Fleet(reach, told).upgrade(["mac-1", "mac-4"], ["--to", "2.0"], dry_run=False)

    assert (code, asked()) == (0, ["mac-1", "mac-4"])
    assert [(news.machine, news.step) for news in told.news[2:]] == [("mac-1", "done"), ("mac-4", "done"), ("", "done")]


def test_the_first_that_is_not_well_ends_it(ssh: tuple[Reach, Asked]) -> None:
    """It has undone itself; those behind it are not begun, and are named."""
    reach, asked = ssh
    told = Told()

    code = Fleet(reach, told).upgrade(["mac-1", "mac-2", "mac-4"], [], dry_run=False)

    assert (code, asked()) == (1, ["mac-1", "mac-2"])
    assert told.news[-1].told == "stopped at mac-2: all is as before; done before: mac-1; not begun: mac-4"


def test_nothing_is_begun_where_one_can_not_be_reached(ssh: tuple[Reach, Asked]) -> None:
    """All are asked before the first is touched."""
    reach, asked = ssh
    told = Told()

    code = Fleet(reach, told).upgrade(["mac-1", "mac-3"], [], dry_run=False)

    assert (code, asked()) == (1, [])
    assert "mac-3: ssh does not get to mac-3: ssh: connect to host mac-3: Connection refused" in told.news[-1].told


def test_a_dry_run_asks_all_and_does_nothing(ssh: tuple[Reach, Asked]) -> None:
    """What each would do is told."""
    reach, asked = ssh
    told = Told()

    assert Fleet(reach, told).upgrade(["mac-1", "mac-2"], [], dry_run=True) == 0
    assert asked() == []
    assert [news.told for news in told.news] == ["planned", "planned"]


def test_ssh_asks_nothing_and_words_reach_the_command_as_they_are() -> None:
    """A blank or a quote in a path does not end a word there."""
    argv = remote_argv("ssh -p 2222", "ada@mac-1", "~/bin/mlx-pool", ["--to", "/tmp/it's here.whl"])

    assert argv[:3] == ("ssh", "-p", "2222")
    assert "BatchMode=yes" in argv
    assert argv[-2] == "ada@mac-1"
    assert argv[-1].endswith("""~/bin/mlx-pool upgrade --json --to '/tmp/it'"'"'s here.whl'""")


@pytest.mark.parametrize("text", ["", "mac-1,-oProxyCommand=x", "mac-1;reboot", "a b"])
def test_what_is_no_name_of_a_machine_is_refused(text: str) -> None:
    """No flag of ssh's comes in as a name."""
    with pytest.raises(Unusable, match="--hosts"):
        hosts_named(text)


def test_the_machines_of_a_pool_are_those_that_serve_it_this_one_last() -> None:
    """The command runs from this one: it is replaced when nothing else is left to do."""
    surveys = [survey("a", view("mac-2.1.aa"), view("vm.2.bb")), survey("b", view("mac-1.3.cc"), view("mac-2.1.dd"))]

    assert hosts_of(surveys, "vm") == ["mac-1", "mac-2", "vm"]
    with pytest.raises(Unusable, match="no name for ssh"):
        hosts_of([survey("a", view("-oProxyCommand=x.1.aa"))], "vm")


def test_the_end_is_told_in_a_line() -> None:
    """Who is done, who is not, and why."""
    assert outcome({"a": Ended(0, "")}, ["a"]) == "all 1 machine(s) are done: a"
    assert outcome({"a": Ended(0, "")}, ["a", "b"]) == "done before: a; not begun: b"


def test_only_news_is_read_as_news() -> None:
    """Another machine may say anything."""
    assert read_news(json.dumps({"step": "well", "told": "x", "later": 1})) == News(step="well", told="x")
    assert [read_news(line) for line in ("", "Welcome", "[]", '{"step":"unheard of","told":""}')] == [None] * 4
