"""The command `mlx-pool acl`: a user of Redis for each role, that may do what the role needs and nothing else."""

import asyncio
import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import msgspec
from cyclopts import Parameter

from shared.connection import connect
from shared.rights.rules import Version, rules_of
from shared.rights.table import Role, rights_of
from shared.rights.users import digests_of, own_name, save_users, set_user, version_of

from .arguments import JsonFlag, call
from .failure import Unusable
from .where import redis_url

PASSWORD = "PASSWORD"  # noqa: S105 -- where the person's own has to stand
_BYTES = 24


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to make: a user's name, what it may do, and for which queues."""

    role: Role
    name: str
    models: tuple[str, ...] = ()
    submits: bool = False

    def rules(self, version: Version) -> list[str]:
        """What it may do, as a server of this version is told."""
        return rules_of(rights_of(self.role, submits=self.submits), version, self.models)


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What was set: `password` and `url` are there if they are new, and nowhere else."""

    user: str
    role: Role
    rules: list[str]
    password: str | None = None
    url: str | None = None
    is_saved: bool = msgspec.field(name="saved", default=False)


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(acl, argv, name="acl")


def acl(
    *,
    role: Annotated[Role, Parameter(help="Who it is for: gateway, worker, producer (other services) or monitor.")],
    name: Annotated[str | None, Parameter(help="The user's name. [default: the role's]")] = None,
    model: Annotated[
        list[str] | None, Parameter(negative="", help="A model whose queue it is for; repeatable. [default: all]")
    ] = None,
    with_submit: Annotated[
        bool, Parameter(negative="", help="A producer may run the script `submit`, too; see docs/protocol.md.")
    ] = False,
    apply: Annotated[bool, Parameter(negative="", help="Set it on the server, with a made password.")] = False,
    new_password: Annotated[bool, Parameter(negative="", help="Also where the user has one.")] = False,
    file: Annotated[bool, Parameter(negative="", help="Print a line of an ACL file, not a command.")] = False,
    for_version: Annotated[
        str | None, Parameter(help="Print for this version of Redis or Valkey, as 7.2. [default: the server's]")
    ] = None,
    redis: Annotated[
        str | None, Parameter(help="The queue's address, as its administrator. [default: that of this machine's `up`]")
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Write the rules of Redis for a role: exactly the commands, keys and channels that it needs.

    Without --apply nothing is changed: the printed command has PASSWORD where yours goes. With it the user is made, or
    gets these rules; one that is there keeps its password.
    """
    if with_submit and role != "producer":
        raise Unusable("--with-submit is for producers: gateways may submit, the others need not.")
    wanted = Wanted(role=role, name=name or role, models=tuple(model or ()), submits=with_submit)
    check_names(wanted)
    if apply:
        granted = asyncio.run(_apply(redis_url(redis, os.environ), wanted, is_new=new_password))
        _tell(granted, as_json=as_json)
        return 0
    version = parse_version(for_version) if for_version else asyncio.run(_version(redis_url(redis, os.environ)))
    rules = wanted.rules(version)
    told = msgspec.json.encode(Granted(user=wanted.name, role=role, rules=rules)).decode()
    sys.stdout.write((told if as_json else as_line(wanted.name, rules, is_file=file)) + "\n")
    return 0


def check_names(wanted: Wanted) -> None:
    """Raise `Unusable` for names that a server would not take, or that would lock somebody out."""
    if wanted.name == "default":
        raise Unusable("`default` is who shows no name: give another with --name, and turn that one off at last.")
    for said in (wanted.name, *wanted.models):
        if not said or any(sign.isspace() or sign in "()" or not sign.isprintable() for sign in said):
            raise Unusable(f"{said!r} can't stand in Redis's rules: no blanks, no parentheses.")


def parse_version(text: str) -> Version:
    """Read a version such as 7.2 or 8.2.1.

    Raises:
        Unusable: it is none, or too old.

    """
    parts = text.split(".")
    if len(parts) < 2 or not all(part.isdecimal() for part in parts):
        raise Unusable(f"--for-version {text}: expected a number as 7.2.")
    version = int(parts[0]), int(parts[1])
    if version < (7, 0):
        raise Unusable(f"--for-version {text}: Redis 7.0 or Valkey 7.2 is the oldest that a pool runs on.")
    return version


def as_line(name: str, rules: Sequence[str], *, is_file: bool) -> str:
    """Write the user as a command for redis-cli, or as a line of an ACL file."""
    if is_file:
        return " ".join(["user", name, "on", f">{PASSWORD}", *rules])
    return shlex.join(["ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rules])


def url_of(url: str, name: str, password: str) -> str:
    """Give the address by which this user comes in, where `url` is the administrator's."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{place}"))


async def _version(url: str) -> Version:
    client = connect(url, name="acl")
    try:
        return await version_of(client)
    finally:
        await client.aclose()


async def _apply(url: str, wanted: Wanted, *, is_new: bool) -> Granted:
    client = connect(url, name="acl")
    try:
        if await own_name(client) == wanted.name:
            raise Unusable(f"{wanted.name} is who asks: it would lose the right to ask. Come as the administrator.")
        rules = wanted.rules(await version_of(client))
        kept = [] if is_new else [f"#{digest}" for digest in await digests_of(client, wanted.name)]
        password = None if kept else secrets.token_hex(_BYTES)
        await set_user(client, wanted.name, kept or [f">{password}"], rules)
        return Granted(
            user=wanted.name,
            role=wanted.role,
            rules=rules,
            password=password,
            url=url_of(url, wanted.name, password) if password else None,
            is_saved=await save_users(client),
        )
    finally:
        await client.aclose()


def _tell(granted: Granted, *, as_json: bool) -> None:
    sys.stdout.write(
        msgspec.json.encode(granted).decode() + "\n" if as_json else f"{granted.url}\n" if granted.url else ""
    )
    if not as_json and granted.url is None:
        sys.stderr.write(f"user {granted.user} has the rights of a {granted.role} now, and its password as before\n")
    if not granted.is_saved:
        said = "this server has no ACL file, so a restart of it forgets the user: start it with `aclfile FILE`"
        sys.stderr.write(f"mlx-pool: warning: {said}\n")
