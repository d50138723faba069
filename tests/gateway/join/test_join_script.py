"""The script by which a bare machine joins, run by a real shell with stand-ins for what it installs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.join.script import script, wheel_url

WHEEL = "http://mac-1:8081/join/mlx_pool-1.2-py3-none-any.whl"
TOOLS = ("sh", "uname", "cp")


class Machine:
    """A machine with nothing on its PATH but what a test puts there; every call of a stand-in is noted."""

    def __init__(self, home: Path) -> None:
        self.bin, self.tools, self.home = home / "bin", home / "tools", home
        self.noted = home / "noted"
        self.bin.mkdir()
        self.tools.mkdir()
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)
        self.noted.touch()

    def put(self, name: str, body: str, *, where: Path | None = None) -> None:
        """Put a stand-in there, which notes how it is called."""
        path = (where or self.bin) / name
        called = name.replace("made", "mlx-pool")
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{called} $*" >>{self.noted}\n{body}\n')
        path.chmod(0o755)

    def put_uv(self, *, takes: str = "") -> None:
        """Put a uv there that makes a `mlx-pool` of what it is told to install, if that looks so."""
        self.put("made", "", where=self.home)
        makes = f"cp {self.home / 'made'} {self.tools / 'mlx-pool'}"
        self.put("uv", f'case "$*" in "tool dir --bin") echo {self.tools};; *{takes}*) {makes};; *) exit 1;; esac')

    def run(self, text: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run the script as `curl … | sh -s -- …` does."""
        env = {"PATH": str(self.bin), "HOME": str(self.home)}
        words = ["/bin/sh", "-s", "--", *argv]
        return subprocess.run(
            words, input=text, env=env, capture_output=True, text=True, check=False, timeout=20, start_new_session=True
        )

    @property
    def calls(self) -> list[str]:
        """What was called, in its order."""
        return self.noted.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A bare machine."""
    return Machine(tmp_path)


def test_what_is_missing_is_installed_from_the_gateway_and_joins(machine: Machine) -> None:
    """This very version, with what a worker needs; then the command takes over, with all that was typed."""
    machine.put_uv()

    ended = machine.run(script("1.2", WHEEL), "redis://mac-1:6379", "--model", "tiny")

    assert ended.returncode == 0, ended.stderr
    installed, where, joined = machine.calls
    assert installed.startswith("uv tool install --quiet --force --python >=3.11 mlx-pool[worker")
    assert installed.endswith(f"] @ {WHEEL}")
    assert where == "uv tool dir --bin"
    assert joined == "mlx-pool join redis://mac-1:6379 --model tiny"
    assert ended.stderr == "installing mlx-pool 1.2, from the pool's gateway\n"


def test_without_the_gateways_wheel_it_comes_from_the_index(machine: Machine) -> None:
    """Of the gateway's version; so it does where the wheel can't be installed."""
    machine.put_uv(takes="==1.2")

    ended = machine.run(script("1.2", WHEEL), "redis://mac-1:6379")
    again = machine.run(script("1.2", None), "redis://mac-1:6379")

    assert (ended.returncode, again.returncode) == (0, 0), ended.stderr
    assert "that did not work; from the package index, then" in ended.stderr
    assert [call for call in machine.calls if "==1.2" in call] == machine.calls[1:2] + machine.calls[4:5]


def test_what_is_there_is_not_installed_again(machine: Machine) -> None:
    """A machine with this version only joins."""
    machine.put("mlx-pool", 'if [ "$1" = --version ]; then echo mlx-pool 1.2; fi')

    ended = machine.run(script("1.2", WHEEL), "redis://mac-1:6379")

    assert ended.returncode == 0, ended.stderr
    assert machine.calls == ["mlx-pool --version", "mlx-pool join redis://mac-1:6379"]


def test_a_machine_without_uv_gets_it_and_is_told_before(machine: Machine) -> None:
    """By Homebrew where that is, else by pip into a folder of its own; with neither it is told what to do."""
    nothing = machine.run(script("1.2", WHEEL), "redis://mac-1:6379")
    machine.put("brew", f"mv {machine.tools}/kept {machine.bin}/uv")
    machine.put_uv()
    (machine.bin / "uv").rename(machine.tools / "kept")
    (machine.bin / "mv").symlink_to(shutil.which("mv") or "/bin/mv")

    brewed = machine.run(script("1.2", WHEEL), "redis://mac-1:6379")

    assert (nothing.returncode, brewed.returncode) == (2, 0), brewed.stderr
    assert "uv is missing, and nothing here can get it" in nothing.stderr
    assert brewed.stderr.startswith("uv is missing, and is installed now: brew install uv\n")
    assert machine.calls[0] == "brew install --quiet uv"


def test_half_a_script_does_nothing(machine: Machine) -> None:
    """A connection that breaks in the middle leaves the machine as it was."""
    machine.put_uv()
    text = script("1.2", WHEEL)

    for share in (4, 3, 2):
        machine.run(text[: len(text) * (share - 1) // share])
    machine.run(text.rpartition("main")[0])

    assert machine.calls == []


def test_the_script_holds_no_secret_and_reads_well() -> None:
    """It is plain POSIX, as far as what checks that is installed."""
    text = script("1.2", WHEEL)

    checked = subprocess.run(["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "@" not in text.replace('"$@"', "").replace("@ $wheel", "")
    if checker := shutil.which("shellcheck"):
        found = subprocess.run([checker, "-s", "sh", "-"], input=text, text=True, capture_output=True, check=False)
        assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "base", ["http://a'b:1/", "http://$(id)/", "http://a b/", "http://a/;x/", "ftp://a/", "http:///", "http://a:1\n/"]
)
def test_no_name_of_a_host_gets_out_of_its_quotes(base: str) -> None:
    """The Host header is anybody's to write: with a strange one the script comes without the wheel's place."""
    assert wheel_url(base, "w.whl") is None


def test_the_wheel_is_where_the_script_came_from() -> None:
    """Also behind TLS, a port and a path prefix."""
    assert wheel_url("https://pool.example/here/", "w.whl") == "https://pool.example/here/join/w.whl"
    assert wheel_url("http://[fd00::7]:8081/", "w.whl") == "http://[fd00::7]:8081/join/w.whl"
    assert os.linesep not in (wheel_url("http://mac-1/", "w.whl") or "")
