"""The embedded broker under `--tls`: as `settle` makes it."""

import subprocess
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlx_pool.data_folder import DataFolder
from mlx_pool.failure import Unusable
from mlx_pool.up.plan import Flags, bare_join_line, check_flags, join_line
from mlx_pool.up.setting import EmbeddedBroker, settle
from shared.connection import check_broker, connect
from shared.errors import Fault

Eventually = Callable[..., Awaitable[None]]
TLS_URL = f"rediss://:pass@127.0.0.1:7000/0?ssl_pin={'ab' * 32}"


def settled(folder: DataFolder, *, tls: bool) -> EmbeddedBroker:
    """Settle an `up`, and give its broker."""
    folder.create()
    broker = settle(Flags(engine="scripted", tls=tls), folder, {}).broker
    assert broker is not None
    return broker


@contextmanager
def started(broker: EmbeddedBroker) -> Generator[None]:
    """Run it for a while."""
    with subprocess.Popen([broker.binary, str(broker.config)], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


async def is_fit(url: str) -> bool:
    """Whether a broker answers there, and nothing is to be said of it."""
    client = connect(url, name="test")
    try:
        return await check_broker(client) == []
    except Fault:
        return False
    finally:
        await client.aclose()


@pytest.mark.usefixtures("tls_server")
async def test_it_speaks_tls_and_nothing_else(tmp_path: Path, eventually: Eventually) -> None:
    """By its pin, or by the file beside it and its names; who comes without TLS gets no answer."""
    folder = DataFolder(tmp_path / "data folder")
    broker = settled(folder, tls=True)

    with started(broker):
        await eventually(lambda: is_fit(broker.url))
        place = broker.url.partition("?")[0]

        assert await is_fit(f"{place}?ssl_ca_certs={folder.secrets / 'broker-tls.crt'}")
        assert not await is_fit(place.replace("rediss:", "redis:"))


@pytest.mark.usefixtures("tls_server")
def test_its_address_is_kept_and_its_data_are_its_own(tmp_path: Path) -> None:
    """Over restarts; a queue without TLS may be another program's, whose file it could not read."""
    folder = DataFolder(tmp_path)

    first, again, plain = (settled(folder, tls=tls) for tls in (True, True, False))

    assert first == again
    assert first.url.startswith("rediss://")
    assert plain.url.startswith("redis://")
    assert first.folder != plain.folder == folder.broker


def test_somebody_elses_queue_is_not_given_tls() -> None:
    """Its address says how it is spoken to."""
    with pytest.raises(Unusable, match="rediss://"):
        check_flags(Flags(redis="redis://vm", tls=True))


def test_the_lines_to_copy_carry_the_pin_past_the_shell() -> None:
    """The shell of macOS takes a bare ? for a pattern, and would end the line there."""
    flags = Flags(host="192.0.2.7", tls=True)
    pin = TLS_URL.partition("?")[2]

    assert join_line(flags, TLS_URL, "m") == f"mlx-pool join 'rediss://:pass@192.0.2.7:7000/0?{pin}' --model m"
    assert bare_join_line(flags, TLS_URL, "m").endswith(f"sh -s -- 'rediss://192.0.2.7:7000/0?{pin}' --model m")
