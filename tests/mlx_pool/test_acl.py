"""`mlx-pool acl`: rules as commands, as lines of a file, and set on a server."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mlx_pool.acl import Wanted, as_line, check_names, parse_version, url_of
from mlx_pool.failure import Unusable
from shared.connection import connect
from tests.conftest import Broker
from tests.ports import FreePort


def acl(broker: str, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run the command on this server."""
    command = [sys.executable, "-P", "-m", "mlx_pool", "acl", *argv, "--redis", broker]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_rules_are_a_command_that_can_be_pasted() -> None:
    """Quoted for a shell and for redis-cli alike; a place is left for the password."""
    rules = Wanted(role="worker", name="mac").rules((7, 0))

    line = as_line("mac", rules, is_file=False)

    assert shlex.split(line) == ["ACL", "SETUSER", "mac", "reset", "on", ">PASSWORD", *rules]
    assert as_line("mac", rules, is_file=True) == f"user mac on >PASSWORD {' '.join(rules)}"


def test_older_servers_are_told_no_words_that_they_do_not_know() -> None:
    """One unknown word, and the whole rule would be refused."""
    old, new = (Wanted(role="monitor", name="m").rules(version) for version in ((7, 0), (7, 2)))

    assert set(new) - set(old) == {"+client|setinfo"}


@pytest.mark.parametrize(("text", "version"), [("7.0", (7, 0)), ("8.2.1", (8, 2))])
def test_a_version_is_two_numbers(text: str, version: tuple[int, int]) -> None:
    """As servers tell it."""
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["7", "6.2", "new", "7.x"])
def test_another_version_is_refused(text: str) -> None:
    """Before anything is printed that would not work."""
    with pytest.raises(Unusable, match="for-version"):
        parse_version(text)


@pytest.mark.parametrize(("name", "models"), [("default", ()), ("a b", ()), ("", ()), ("a", ("m)",)), ("a", ("m x",))])
def test_names_that_rules_can_not_carry_are_refused(name: str, models: tuple[str, ...]) -> None:
    """A parenthesis would end a selector: what comes behind it would be for all keys."""
    with pytest.raises(Unusable):
        check_names(Wanted(role="producer", name=name, models=models))


def test_a_users_address_is_the_administrators_with_another_name() -> None:
    """Place, database and TLS stay."""
    assert (
        url_of("rediss://:old@h:6380/0?ssl_ca_certs=/ca", "mac", "new") == "rediss://mac:new@h:6380/0?ssl_ca_certs=/ca"
    )


def test_a_user_is_made_once_and_keeps_its_password(own_broker: Broker) -> None:
    """The address that is printed works; a new release's rules are set without anybody being told."""
    made = acl(own_broker.url, "--role", "worker", "--apply")
    again = acl(own_broker.url, "--role", "worker", "--apply")
    new = json.loads(acl(own_broker.url, "--role", "worker", "--apply", "--new-password", "--json").stdout)

    assert made.stdout.startswith("redis://worker:")
    assert "forgets the user" in made.stderr
    assert (again.returncode, again.stdout) == (0, "")
    assert "its password as before" in again.stderr
    assert new["url"] not in {made.stdout.strip(), None}
    assert new["password"] in new["url"]


async def test_a_server_with_an_acl_file_remembers(tmp_path: Path, free_port: FreePort) -> None:
    """The user is there after a restart, and nobody is warned."""
    (tmp_path / "users.acl").write_text("user default on nopass ~* &* +@all\n")
    broker = Broker(tmp_path, free_port(), "--aclfile", str(tmp_path / "users.acl"))
    broker.start()
    made = acl(broker.url, "--role", "gateway", "--apply")
    broker.kill()
    broker.start()
    client = connect(made.stdout.strip(), name="test")

    whoami = await client.command("ACL", "WHOAMI")

    assert (whoami, made.stderr) == (b"gateway", "")
    await client.aclose()
    broker.kill()


def test_nobody_takes_the_rights_from_under_its_own_feet(own_broker: Broker) -> None:
    """Whoever asks stays who may ask."""
    made = acl(own_broker.url, "--role", "gateway", "--apply").stdout.strip()

    own = acl(made, "--role", "gateway", "--apply")

    assert (own.returncode, own.stderr.count("\n")) == (2, 1)
    assert "administrator" in own.stderr


def test_rules_are_printed_for_the_server_that_is_there(own_broker: Broker) -> None:
    """And nothing is changed there; programs get them as a list."""
    printed = acl(own_broker.url, "--role", "producer", "--model", "m")
    told = json.loads(acl(own_broker.url, "--role", "producer", "--model", "m", "--json").stdout)

    assert shlex.split(printed.stdout)[6:] == told["rules"]
    assert "pool:{*}" not in printed.stdout
    assert told["password"] is None
