import subprocess
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlx_pool.data_folder import DataFolder
from mlx_pool.failure import Unusable
from mlx_pool.key_store import KeyStore
from mlx_pool.up.command import run
from mlx_pool.up.plan import Flags
from mlx_pool.up.setting import Setting, settle
from shared.connection import check_broker, connect
from shared.errors import Fault, Refused
from shared.key_file import read_keys
from tests.ports import FreePort

Eventually = Callable[..., Awaitable[None]]


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """What `mlx-pool up` settles for an embedded broker, in a folder whose name has a blank."""
    folder = DataFolder(tmp_path / "data folder")
    folder.create()
    return settle(Flags(engine="scripted"), folder, {})


@contextmanager
def started(setting: Setting) -> Generator[subprocess.Popen[bytes]]:
    assert setting.broker is not None
    with subprocess.Popen([setting.broker.binary, str(setting.broker.config)], stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def answers(url: str) -> bool:
    client = connect(url, name="test")
    try:
        await check_broker(client)
    except Fault:
        return False
    finally:
        await client.aclose()
    return True


async def test_the_embedded_broker_is_fit_for_a_pool(setting: Setting, eventually: Eventually) -> None:
    """It evicts nothing, keeps an append-only file, and asks for the password, also on loopback."""
    with started(setting):
        await eventually(lambda: answers(setting.redis_url))

        client = connect(setting.redis_url, name="test")
        assert await check_broker(client) == []
        await client.aclose()
        with pytest.raises(Refused, match="password"):
            await answers(f"redis://:wrong@127.0.0.1:{setting.broker.port if setting.broker else 0}")


async def test_what_the_queue_held_is_there_after_a_kill(setting: Setting, eventually: Eventually) -> None:
    """A job that was accepted outlives a kill -9 of the broker."""
    client = connect(setting.redis_url, name="test")
    with started(setting) as broker:
        await eventually(lambda: answers(setting.redis_url))
        await client.command("SET", "accepted", "yes")
        broker.kill()
        broker.wait()

    with started(setting):
        await eventually(lambda: answers(setting.redis_url))
        assert await client.command("GET", "accepted") == b"yes"
    await client.aclose()


def test_only_its_user_reads_the_brokers_files(setting: Setting) -> None:
    """Password and prompts are for the user's eyes alone."""
    assert setting.broker is not None
    assert setting.broker.config.stat().st_mode & 0o777 == 0o600
    assert setting.folder.path.stat().st_mode & 0o777 == 0o700


def test_port_and_password_are_kept_from_run_to_run(setting: Setting) -> None:
    """Machines that joined find the queue again after a restart of `up`."""
    again = settle(setting.flags, setting.folder, {})

    assert again.redis_url == setting.redis_url


def test_an_api_key_is_made_off_loopback_only(setting: Setting) -> None:
    """On loopback curl works without a key; elsewhere there is always one."""
    outside = settle(Flags(host="0.0.0.0", engine="scripted"), setting.folder, {})

    assert setting.key_file is None
    assert outside.key_file is not None
    assert outside.key_file.stat().st_mode & 0o777 == 0o600


def test_somebody_elses_queue_needs_no_broker(setting: Setting) -> None:
    """With `--redis` nothing is started that would listen on another port."""
    other = settle(Flags(redis="redis://127.0.0.1:1"), setting.folder, {})

    assert other.broker is None
    assert other.redis_url == "redis://127.0.0.1:1"


def test_keys_that_were_given_out_are_asked_for_on_loopback_too(setting: Setting) -> None:
    """Who gives out keys means them; this machine's own commands then have one of their own."""
    KeyStore(setting.folder.api_keys).create()

    guarded = settle(setting.flags, setting.folder, {})

    assert setting.keys_file is None
    assert guarded.keys_file == setting.folder.api_keys
    assert guarded.key_file is not None


def test_off_loopback_the_first_key_needs_no_restart(setting: Setting) -> None:
    """The gateway is told of the file before there is a key in it."""
    outside = settle(Flags(host="0.0.0.0", engine="scripted"), setting.folder, {})

    assert outside.keys_file is not None
    assert read_keys(outside.keys_file) == ()


def test_a_data_folder_that_can_not_be_used_is_one_line(tmp_path: Path, free_port: FreePort) -> None:
    """A disk that is full, or somebody else's file in the way: it is said, and nothing is started."""
    (tmp_path / "broker" / "port").mkdir(parents=True)

    with pytest.raises(Unusable, match="can't be used"):
        run(["--engine", "scripted", "--data", str(tmp_path), "--port", str(free_port())])
