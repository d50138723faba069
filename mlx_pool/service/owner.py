"""Whose process a service is: this user's, or the machine's, run as some user."""

import getpass
import os
import pwd
from pathlib import Path

import msgspec

from mlx_pool.failure import Unusable

from .want import Scope


class Owner(msgspec.Struct, frozen=True):
    """A user: `uid` and `home` are that one's, whoever installs."""

    name: str
    uid: int
    home: Path
    scope: Scope


def owner_of(user: str | None, *, is_system: bool, is_told_only: bool) -> Owner:
    """Find whose the service is: this user's, or with --system the machine's, as whoever called sudo.

    Raises:
        Unusable: there is no such user, or only root can do it.

    """
    if user is not None and not is_system:
        raise Unusable("--user is for services of the machine: add --system.")
    if is_system and not is_told_only and os.geteuid() != 0:
        raise Unusable("A service of the machine needs root: sudo, or leave --system out for one of your own.")
    name = user or (os.environ.get("SUDO_USER") if is_system else None) or getpass.getuser()
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise Unusable(f"There is no user {name} on this machine.") from error
    scope: Scope = "system" if is_system else "user"
    home = Path(entry.pw_dir) if is_system else Path.home()
    return Owner(name=name, uid=entry.pw_uid, home=home, scope=scope)
