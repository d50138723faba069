"""The table of rights against the scripts' own text: what is not said is not granted, what is said is."""

import pytest

from shared import scripts
from shared.rights.table import ROLES, SCRIPTS, Rights, Role, rights_of

from .lua import Said, said_by

# Streams of jobs under the names that tell apart why they are touched.
_JOBS = {"intake", "public", "bodies"}


def granted_by(rights: Rights) -> frozenset[Said]:
    """Rights as pairs."""
    return frozenset(
        ("jobs" if kind in _JOBS else kind, command) for kind, commands in rights.items() for command in commands
    )


@pytest.mark.parametrize("script", scripts.NAMES)
def test_a_script_has_the_rights_to_all_that_it_says_and_to_nothing_else(script: str) -> None:
    """A script runs with its caller's rights: a word that is missing here would be an error in the middle of it."""
    said, granted = said_by(script), granted_by(SCRIPTS[script])

    assert sorted(said - granted) == []
    assert sorted(granted - said) == []


def test_the_table_knows_every_script() -> None:
    """And none that is gone."""
    assert set(SCRIPTS) == set(scripts.NAMES)


def test_who_need_not_see_prompts_reads_none() -> None:
    """Neither the jobs, nor their records, nor their logs, nor dead letters, nor files."""
    for kind, commands in rights_of("monitor").items():
        if kind in {"jobs", "bodies", "log", "job", "dead", "bulk:data"}:
            assert commands <= {"xlen", "xinfo|groups"}
    assert not rights_of("producer").get("bodies")
    assert rights_of("producer")["jobs"] == {"xlen", "xinfo|groups"}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_can_look_around_or_change_the_server(role: Role) -> None:
    """Not even those that need much."""
    commands = {command for said in rights_of(role).values() for command in said}

    assert commands.isdisjoint({"scan", "keys", "config|get", "config|set", "monitor", "slowlog|get", "acl|setuser"})
    assert not {each for each in commands if each.startswith(("debug", "flush", "cluster", "replicaof", "shutdown"))}


def test_a_monitor_writes_nothing() -> None:
    """It runs its one script by the command for scripts that only read."""
    said = rights_of("monitor")

    assert said["queue"] == {"evalsha_ro", "eval_ro"}
    assert {word for commands in said.values() for word in commands}.isdisjoint({"eval", "evalsha", "hset", "xadd"})
