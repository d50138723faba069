"""Roles on a real server: each tried against each command on each kind of key."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from shared.connection import Broker, connect
from shared.rights.rules import rules_of
from shared.rights.table import ROLES, Rights, Role, rights_of
from shared.rights.users import set_user, version_of
from tests.conftest import Broker as Server

from .words import COMMANDS, KEYS, STRANGERS, call

Courts = Callable[..., AbstractAsyncContextManager["Court"]]


class Court:
    """A server with a user, of whom it is asked what it may do: nothing is done."""

    def __init__(self, client: Broker) -> None:
        self._client = client

    async def permits(self, calls: Sequence[Sequence[str]]) -> list[bool]:
        """Which of these calls the user may make."""
        said: list[Any] = await self._client.commands([("ACL", "DRYRUN", "somebody", *words) for words in calls])
        return [answer == b"OK" for answer in said]

    async def known(self) -> dict[str, list[str]]:
        """Every command and subcommand of the server, with as many words behind it as it wants at least."""
        told: dict[str, dict[str, Any]] = await self._client.command("COMMAND")
        known = {name: each["arity"] for name, each in told.items() if not each["subcommands"]}
        known |= {sub[0].decode(): sub[1] for each in told.values() for sub in each["subcommands"]}
        return {
            name: (name.replace("|", " ") + " x" * abs(arity)).split()[: abs(arity)] for name, arity in known.items()
        }


@pytest.fixture
def court(own_broker: Server) -> Courts:
    """Give what opens a court on a user with these rights."""

    @asynccontextmanager
    async def hold(rights: Rights, *models: str) -> AsyncGenerator[Court]:
        client = connect(own_broker.url, name="test", timeout_ms=20_000)
        await set_user(client, "somebody", ["nopass"], rules_of(rights, await version_of(client), models))
        yield Court(client)
        await client.aclose()

    return hold


def expected(rights: Rights) -> Iterator[tuple[list[str], bool]]:
    """Every command on every key, and whether the table has it."""
    every = sorted({key for keys in KEYS.values() for key in keys})
    for command in COMMANDS:
        granted = {key for kind, commands in rights.items() if kind and command in commands for key in KEYS[kind]}
        yield from ((call(command, key), key in granted) for key in every)


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_the_table_says_and_nothing_else(role: Role, court: Courts) -> None:
    """Each command on a key of each kind, allowed and denied."""
    cases = list(expected(rights_of(role)))

    async with court(rights_of(role)) as here:
        told = await here.permits([words for words, _ in cases])

    wrong = [(words, allowed) for (words, allowed), was in zip(cases, told, strict=True) if was != allowed]
    assert wrong == []
    assert 10 < sum(told) < len(told) / 8


@pytest.mark.parametrize("role", ROLES)
async def test_what_nobody_needs_is_denied_on_every_key(role: Role, court: Courts) -> None:
    """Looking around, changing the server, and commands that only seem harmless."""
    every = [key for keys in KEYS.values() for key in keys]
    calls = [words.replace("KEY", key).split() for words in STRANGERS for key in every]

    async with court(rights_of(role)) as here:
        told = await here.permits(calls)

    assert [words for words, allowed in zip(calls, told, strict=True) if allowed] == []


@pytest.mark.parametrize("role", ROLES)
async def test_of_all_that_a_server_knows_a_role_may_nothing_else(role: Role, court: Courts) -> None:
    """Also what later servers bring: a command that the table does not name is denied, whatever it is said of."""
    rights = rights_of(role)
    own = {command for commands in rights.values() for command in commands}

    async with court(rights) as here:
        known = await here.known()
        told = await here.permits([words for name, words in known.items() if name not in own | _BEFORE_ANY_USER])

    assert len(known) > 300
    assert not any(told)


# To introduce oneself, or to leave, is nobody's right in particular.
_BEFORE_ANY_USER = {"auth", "hello", "quit", "reset"}


async def test_a_producer_with_submit_may_add_to_any_class_but_those_given_back(court: Courts) -> None:
    """The script takes `hi` too; `re` and `sus` stay the workers'."""
    cases = list(expected(rights_of("producer", submits=True)))

    async with court(rights_of("producer", submits=True)) as here:
        told = await here.permits([words for words, _ in cases])
        adds = await here.permits([call("xadd", key) for key in KEYS["jobs"]])

    assert [words for (words, allowed), was in zip(cases, told, strict=True) if was != allowed] == []
    assert adds == [False, True, True, True, False]


async def test_rights_can_be_for_one_queue_only(court: Courts) -> None:
    """A service that works for one model touches no other's; a name is taken literally, whatever signs are in it."""
    async with court(rights_of("producer"), "m", "a*[b]") as here:
        told = await here.permits(
            [call("xadd", f"pool:{{{model}}}:jobs:std") for model in ("m", "a*[b]", "axb", "n", "*", "mm")]
        )

    assert told == [True, True, False, False, False, False]


async def test_channels_stay_shut_where_a_server_opens_them_to_new_users(own_broker: Server, court: Courts) -> None:
    """`acl-pubsub-default allchannels` is what servers had before 7."""
    client = connect(own_broker.url, name="test")
    await client.command("CONFIG", "SET", "acl-pubsub-default", "allchannels")
    await client.aclose()

    async with court(rights_of("worker")) as here:
        told = await here.permits([call("subscribe", "pool:{m}:ctl:w"), call("subscribe", "pool:{m}:chan:id")])

    assert told == [True, False]
