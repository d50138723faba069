"""The command `mlx-pool keys`: who may use the gateways, each by a key of its own, and how much."""

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from shared.key_file import KeyEntry, KeyLimits, digest_of, new_key

from .arguments import JsonFlag, call
from .data_folder import data_folder
from .failure import Unusable
from .key_store import KeyStore, keys_file
from .table import table
from .up.state import State, read_state

Deed = Literal["add", "list", "revoke"]
_UNASKED = "the pool that runs here asks for no key yet: it will once `mlx-pool up` is started again\n"


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(keys, argv, name="keys")


def keys(
    deed: Annotated[Deed, Parameter(help="add, list or revoke.")] = "list",
    name: Annotated[str | None, Parameter(help="The key's id, as logs show it. [default for add: a made one]")] = None,
    *,
    tenant: Annotated[str | None, Parameter(help="Whose jobs its jobs are. [default: the key's own]")] = None,
    requests_per_minute: Annotated[int | None, Parameter(help="That ask for work. [default: any number]")] = None,
    tokens_per_minute: Annotated[int | None, Parameter(help="Of prompts and answers. [default: any number]")] = None,
    concurrent_jobs: Annotated[int | None, Parameter(help="Waiting and running. [default: any number]")] = None,
    model: Annotated[
        list[str] | None, Parameter(negative="", help="A model it is for; repeatable. [default: all]")
    ] = None,
    hi: Annotated[bool, Parameter(negative="", help="Its jobs may have the class hi.")] = False,
    operator: Annotated[
        bool, Parameter(negative="", help="It sees every job's life, and decides on dead letters, on the page.")
    ] = False,
    file: Annotated[
        Path | None, Parameter(help="Their file. [default: MLX_POOL_API_KEYS_FILE, else that of this machine's `up`]")
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Give out keys for the gateways, show them, take them away. Gateways see a change within a second.

    `add` prints the key, this once: the file keeps only its digest.
    """
    limits = {
        "requests_per_minute": requests_per_minute,
        "tokens_per_minute": tokens_per_minute,
        "concurrent_jobs": concurrent_jobs,
    }
    folder = data_folder(None, os.environ)
    store = KeyStore(file or keys_file(folder, os.environ))
    match deed:
        case "add":
            rights = {"limits": limits, "models": model, "may_hi": hi}
            key, entry = made(name, tenant, {**rights, "may_operate": operator})
            store.add(entry)
            _say({"key": key, **_told(entry)}, as_json=as_json, line=key)
            if not as_json:
                sys.stderr.write(f"key {entry.id} of tenant {entry.tenant}, shown only now; kept in {store.path}\n")
                sys.stderr.write(_UNASKED if file is None and _is_unasked(read_state(folder.state)) else "")
        case "revoke":
            if name is None:
                raise Unusable("Which one? `mlx-pool keys revoke ID`; `mlx-pool keys list` shows them.")
            store.revoke(name)
            _say({"revoked": name}, as_json=as_json, line=f"revoked {name}")
        case "list":
            entries = store.read()
            _say([_told(entry) for entry in entries], as_json=as_json, line=as_lines(entries))
    return 0


def _is_unasked(state: State | None) -> bool:
    """Whether an `up` runs here that asks nobody for a key: on loopback it looks for keys as it starts."""
    return state is not None and state.key_file is None


def made(name: str | None, tenant: str | None, rights: Mapping[str, Any]) -> tuple[str, KeyEntry]:
    """Make a key, and what the file keeps of it.

    Raises:
        Unusable: a name or a number can't be meant.

    """
    key, key_id = new_key(), name or f"key-{secrets.token_hex(4)}"
    fields = {
        "id": key_id,
        "tenant": tenant or key_id,
        "sha256": digest_of(key.encode()).hex(),
        "created": datetime.now(UTC).replace(microsecond=0),
        **rights,
    }
    try:
        return key, msgspec.convert(fields, KeyEntry)
    except msgspec.ValidationError as error:
        raise Unusable(f"{error}.") from error


def as_lines(entries: Sequence[KeyEntry]) -> str:
    """Draw the keys for a person."""
    if not entries:
        return "no keys"
    rows = [
        [
            entry.id,
            entry.tenant,
            *(str(limit or "-") for limit in _limits(entry.limits)),
            ", ".join(entry.models) if entry.models else "all",
            "yes" if entry.may_hi else "-",
            "yes" if entry.may_operate else "-",
            entry.created.astimezone().strftime("%Y-%m-%d %H:%M"),
        ]
        for entry in entries
    ]
    return table(("ID", "TENANT", "REQUESTS/MIN", "TOKENS/MIN", "JOBS", "MODELS", "HI", "OPERATOR", "CREATED"), rows)


def _limits(limits: KeyLimits) -> tuple[int | None, ...]:
    return limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_jobs


def _told(entry: KeyEntry) -> dict[str, Any]:
    """What of an entry is to be shown: not the digest, which nobody needs."""
    told = msgspec.structs.asdict(entry) | {"limits": msgspec.structs.asdict(entry.limits)}
    return {name: value for name, value in told.items() if name != "sha256"}


def _say(told: Any, *, as_json: bool, line: str) -> None:
    sys.stdout.write((msgspec.json.encode(told).decode() if as_json else line) + "\n")
