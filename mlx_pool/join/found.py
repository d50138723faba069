"""An address for who has none: pools that are found on the local network, and the password, which is asked for.

What is found is a hint. Whoever is on the network can say that a pool is there, and would be told the password: so the
person sees where it goes before typing it.
"""

import getpass
import sys
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlsplit

from mlx_pool.asking import ask
from mlx_pool.failure import Unusable
from mlx_pool.lan import bonjour
from mlx_pool.lan.found import Found, choose
from mlx_pool.terminal import clean
from shared.connection import Broker, check_broker
from shared.errors import Fault, Refused

from .address import address_from

PASSWORD = "MLX_POOL_REDIS_PASSWORD"  # noqa: S105 -- the variable's name
_LOOK_S = 3.0

Say = Callable[[str], None]


def pool_address(found: str | None, env: Mapping[str, str], say: Say) -> str:
    """Give the pool's address: that of the environment, or of the pool that was found under this name, or chosen.

    Raises:
        Unusable: there is none, or it has to be said which; the words list what was found.

    """
    if found is None and (env.get("MLX_POOL_REDIS_URL") or bonjour.interfaces(env) is None):
        return address_from(env)
    if not bonjour.is_installed():
        if found is not None:
            raise Unusable(f"To find pools on this network: {bonjour.HOW_TO_INSTALL}.")
        say(f"pools on this network could be found with: {bonjour.HOW_TO_INSTALL}")
        return address_from(env)
    if sys.stdin.isatty():
        say("looking for pools on this network …")
    pools = _look(env, found)
    pool = choose(pools, found) if found is not None else _chosen(pools, say)
    if pool is not None:
        return address_of(pool, _password(pool, env))
    if found is not None:
        raise Unusable(f"No pool called {found} is found on this network; {_told(pools)}.")
    if pools and not sys.stdin.isatty():
        raise Unusable(f"Which pool? `mlx-pool join --found NAME`; {_told(pools)}.")
    return address_from(env)


def address_of(pool: Found, password: str) -> str:
    """Write its address."""
    return f"redis://:{quote(password, safe='')}@{pool.place}/0"


def with_password(url: str, env: Mapping[str, str]) -> str:
    """Give the address with the password that the environment has, or that the person types where Redis wants one."""
    parts = urlsplit(url)
    user, has_one, place = parts.netloc.rpartition("@")
    if ":" in user:
        return url
    given = env.get(PASSWORD)
    if not given and sys.stdin.isatty() and ask(url, _wants_password, name="join"):
        given = getpass.getpass(f"The password of the pool at {clean(place)} (it is not shown): ").strip()
    if not given:
        return url
    return parts._replace(netloc=f"{user if has_one else ''}:{quote(given, safe='')}@{place}").geturl()


async def _wants_password(broker: Broker) -> bool:
    try:
        await check_broker(broker)
    except Refused as refused:
        return "refuses the password" in refused.message
    except Fault:
        return False  # it is asked again, and the answer said in words
    return False


def _look(env: Mapping[str, str], name: str | None) -> Sequence[Found]:
    try:
        return bonjour.look_around(bonjour.interfaces(env) or [], _LOOK_S, until=name)
    except OSError as error:
        raise Unusable(f"This machine's network can't be looked at: {error}.") from error


def _chosen(pools: Sequence[Found], say: Say) -> Found | None:
    """Let the person choose."""
    if not pools or not sys.stdin.isatty():
        return None
    say("pools that say they are on this network:")
    for number, pool in enumerate(pools, 1):
        say(f"  {number}  {pool.in_words}")
    word = input(f"Which one? [1-{len(pools)}, or return to give an address] ").strip()
    return choose(pools, word) if word else None


def _password(pool: Found, env: Mapping[str, str]) -> str:
    if given := env.get(PASSWORD):
        return given
    if not sys.stdin.isatty():
        raise Unusable(f"The pool's password is needed: in {PASSWORD}, or typed in a terminal.")
    return getpass.getpass(f"The password of the pool at {pool.place} (it is not shown, and goes there): ").strip()


def _told(pools: Sequence[Found]) -> str:
    return f"found: {'; '.join(pool.in_words for pool in pools)}" if pools else "none is found at all"
