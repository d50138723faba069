"""Nine tenants who ask little, alone and beside something that should not matter to them."""

import contextlib
import sys
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import msgspec

from bench.placement.talks import TURNS_OF_A_CHAT, talks
from bench.rig.pool import HOST, Pool, free_port, is_open
from bench.rig.process import Process, python
from bench.table import table
from mlx_pool.key_store import KeyStore
from shared.key_file import KeyEntry, digest_of, new_key

from .client import Replay, replay
from .figures import Figures, figures_of
from .macs import FULL_RATE, macs

TENANTS = 9
_HEAD = (
    *("seed", "beside them", "turns", "turned away", "failed", "p50 s", "p95 s", "of quiet's p95"),
    *("chats' p95 s", "of quiet's", "what became of it"),
)


class Beside(msgspec.Struct, frozen=True):
    """How much the nine ask, and for how long."""

    load: float
    pace: float
    seeds: Sequence[int]
    seconds: float
    warm_s: float


class Site(msgspec.Struct, frozen=True):
    """A pool whose gateway knows ten tenants by their keys; the last is not one of the nine."""

    pool: Pool
    port: int
    keys: list[str]
    folder: Path


# Goes on beside them while its block runs; what it yields tells in the end what became of it.
Disturbance = Callable[[Site], contextlib.AbstractContextManager[Callable[[], str]]]


class Measured(msgspec.Struct, frozen=True):
    """A run."""

    seed: int
    name: str
    figures: Figures
    chats: Figures  # of them alone: agents and documents left out
    told: str


def measure(folder: Path, broker: str, how: Beside, name: str, disturbance: Disturbance) -> str:
    """Replay the same talks quiet and disturbed, by turns which comes first; the table."""
    measured: list[Measured] = []
    for place, seed in enumerate(how.seeds):
        both = (("–", _nothing), (name, disturbance))
        for what, disturb in both[:: -1 if place % 2 else 1]:
            with _site(folder / f"{name}-{seed}-{len(measured)}", broker, how.pace) as site, disturb(site) as told:
                measured.append(Measured(seed, what, *_replay(site, how, seed), told()))
            print(f"… {name}, seed {seed}, beside {what}", file=sys.stderr, flush=True)
    return _report(measured, how.seeds, name)


def _replay(site: Site, how: Beside, seed: int) -> tuple[Figures, Figures]:
    """The figures of all, and those of chats alone."""
    asked = talks(FULL_RATE * how.load, how.seconds * how.pace, seed)
    got = replay(Replay(talks=asked, port=site.port, pace=how.pace, seconds=how.seconds, keys=site.keys[:TENANTS]))
    of_chats = [one for one in got if len(asked[one.talk].turns) == TURNS_OF_A_CHAT]
    return figures_of(got, from_s=how.warm_s), figures_of(of_chats, from_s=how.warm_s)


@contextlib.contextmanager
def _site(folder: Path, broker: str, pace: float) -> Generator[Site]:
    with macs(folder, broker, pace=pace) as (running, _):
        store, keys, port = KeyStore(folder / "keys.json"), [new_key() for _ in range(TENANTS + 1)], free_port()
        for number, key in enumerate(keys):
            name, digest = f"tenant-{number}", digest_of(key.encode()).hex()
            store.add(KeyEntry(id=name, tenant=name, sha256=digest, created=datetime.now(UTC)))
        argv = python("gateway", "--host", HOST, "--port", str(port), "--api-keys-file", str(store.path))
        with Process("gateway-keys", argv, folder, {"MLX_POOL_REDIS_URL": running.url}) as gateway:
            gateway.wait_until(lambda: is_open(port))
            yield Site(running, port, keys, folder)


@contextlib.contextmanager
def _nothing(_: Site) -> Generator[Callable[[], str]]:
    yield lambda: ""


def _report(measured: Sequence[Measured], seeds: Sequence[int], name: str) -> str:
    by_run = {(one.seed, one.name): one for one in measured}
    rows = [_row(by_run[seed, what], by_run[seed, "–"]) for what in ("–", name) for seed in seeds]
    for what in ("–", name):
        both = [(by_run[seed, what], by_run[seed, "–"]) for seed in seeds]
        of_all = _p95_cells([(one.figures, quiet.figures) for one, quiet in both])
        rows.append(
            ["all", what, "", "", "", "", *of_all, *_p95_cells([(one.chats, quiet.chats) for one, quiet in both]), ""]
        )
    return table(_HEAD, rows)


def _row(one: Measured, quiet: Measured) -> list[str]:
    figures = one.figures
    counts = (figures.asked, figures.turned_away, figures.failed)
    of_all, of_chats = _p95_cells([(figures, quiet.figures)]), _p95_cells([(one.chats, quiet.chats)])
    return [str(one.seed), one.name, *map(str, counts), f"{figures.p50_s:.2f}", *of_all, *of_chats, one.told]


def _p95_cells(pairs: Sequence[tuple[Figures, Figures]]) -> list[str]:
    """The mean of the runs' p95, and as a share of their quiet ones'."""
    p95 = fmean(one.p95_s for one, _ in pairs)
    return [f"{p95:.2f}", f"{p95 / (fmean(quiet.p95_s for _, quiet in pairs) or 1):.2f}"]
