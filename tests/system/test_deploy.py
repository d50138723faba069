"""deploy/ and compose.yaml, as far as they can be tried without a container engine: everything but the images."""

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from mlx_pool.acl import Wanted, as_line
from mlx_pool.up.address import in_url
from shared.connection import check_broker, connect
from shared.errors import PoolError
from shared.rights.table import ROLES
from tests.conftest import Eventually
from tests.pool import Pool
from tests.ports import FreePort

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
REDIS = shutil.which("redis-server")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
needs_redis = pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")


def compose() -> dict[str, Any]:
    """The stack."""
    yaml = pytest.importorskip("yaml", reason="no reader of YAML is installed")
    return yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


def prepare(out: Path, host: str = "127.0.0.1") -> str:
    """Make what is secret; returns what is said."""
    argv = ["/bin/sh", str(DEPLOY / "prepare.sh"), "--host", host, "--out", str(out)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_the_users_of_the_stack_have_the_rights_of_their_roles() -> None:
    """The file is what the command prints today."""
    lines = (DEPLOY / "redis" / "users.acl").read_text("utf-8").splitlines()[1:]

    assert lines == [as_line(role, Wanted(role=role, name=role).rules((8, 2)), is_file=True) for role in ROLES]


def test_what_the_stack_mounts_is_there_or_is_made() -> None:
    """Files of the repository exist; secrets are those that `prepare.sh` makes, each declared where it is used."""
    stack, script = compose(), (DEPLOY / "prepare.sh").read_text("utf-8")

    for service in stack["services"].values():
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in stack["volumes"]
        assert set(service.get("secrets", ())) <= set(stack["secrets"])
        assert Path(service.get("env_file", "/redis.env")).name in script
    for secret in stack["secrets"].values():
        assert Path(secret["file"]).name in script


def test_no_service_is_stopped_before_it_could_drain() -> None:
    """Gateways and workers drain for 30 s, and then say good-bye."""
    services = compose()["services"]

    for name in ("gateway-1", "gateway-2", "worker", "caddy"):
        assert int(services[name]["stop_grace_period"].removesuffix("s")) >= 45


def test_nothing_is_open_to_others_but_the_front_door() -> None:
    """Redis only where the operator says so, boards and figures only on this machine."""
    opened = {name: service.get("ports", []) for name, service in compose()["services"].items()}

    assert {name for name, ports in opened.items() if any(not _is_bound(port) for port in ports)} == {"caddy"}


def _is_bound(port: str) -> bool:
    return port.startswith(("127.0.0.1:", "${MLX_POOL_REDIS_BIND:-127.0.0.1}:"))


@needs_openssl
def test_what_is_made_is_kept_and_hidden(tmp_path: Path) -> None:
    """Run again, it makes nothing anew; passwords are in files for their user's eyes, in a folder like that."""
    out = tmp_path / "secrets"
    prepare(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    prepare(out)

    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()}
    assert {name for name, mode in modes.items() if mode != 0o600} == {
        *("ca.crt", "redis.crt", "redis.key", "users.acl", "api-key"),
    }


@needs_openssl
@pytest.mark.parametrize("host", ["vm.example.org", "192.168.1.5", "fd00::5"])
def test_the_certificate_is_for_the_name_that_macs_use(host: str, tmp_path: Path) -> None:
    """A name, an address of either kind; and for what it is called among the containers."""
    said = prepare(tmp_path / "secrets", host)
    words = ["-in", str(tmp_path / "secrets" / "redis.crt"), "-noout", "-ext", "subjectAltName"]

    told = subprocess.run(["openssl", "x509", *words], check=True, capture_output=True, text=True).stdout

    assert "DNS:redis" in told
    assert f":{host}" in told or "FD00" in told
    assert ("DNS:vm" in told) == (host == "vm.example.org")
    assert f"@{in_url(host)}:6379/0?" in said


class Stack:
    """The stack's Redis, with its own settings and users, on another port and in another folder."""

    def __init__(self, folder: Path, port: int) -> None:
        self.secrets = folder / "secrets"
        self.said = prepare(self.secrets)
        self.port = port
        (folder / "data").mkdir()
        # The rules are for the stack's Redis; one that is older does not know this word, the only one that is new.
        users = (self.secrets / "users.acl").read_text("utf-8").replace(" +client|setinfo", "")
        (folder / "data" / "users.acl").write_text(users)
        settings = (DEPLOY / "redis" / "redis.conf").read_text("utf-8")
        for theirs, ours in (("/run/secrets", self.secrets), ("/data", folder / "data"), ("6379", port)):
            settings = settings.replace(theirs, str(ours))
        (folder / "redis.conf").write_text(settings)
        assert REDIS
        with (folder / "redis.log").open("wb") as log:
            self.process = subprocess.Popen([REDIS, str(folder / "redis.conf")], stdout=log)

    def url(self, user: str) -> str:
        """The address of this user."""
        password = (self.secrets / f"{user}.password").read_text().strip()
        return f"rediss://{user}:{password}@127.0.0.1:{self.port}/0?ssl_ca_certs={self.secrets / 'ca.crt'}"

    async def answers(self) -> bool:
        """Whether it is up."""
        async with aclosing(connect(self.url("admin"), name="test")) as admin:
            try:
                return bool(await admin.command("PING"))
            except PoolError:
                assert self.process.poll() is None, (self.secrets.parent / "redis.log").read_text()
                return False


@pytest.fixture
def stack(tmp_path: Path, free_port: FreePort) -> Iterator[Stack]:
    """Start it."""
    stack = Stack(tmp_path, free_port())
    yield stack
    stack.process.kill()
    stack.process.wait()


@needs_openssl
@needs_redis
async def test_a_pool_runs_on_the_stacks_redis(
    stack: Stack, free_port: FreePort, tmp_path: Path, eventually: Eventually
) -> None:
    """Over TLS, each part as its user; its settings raise no warning, and nobody without a name comes in."""
    await eventually(stack.answers, within=20)
    pool = Pool(stack.url("gateway"), free_port(), tmp_path, {}, {role: stack.url(role) for role in ROLES})
    try:
        pool.add_worker()
        await pool.ready(1)
        answer = await pool.http.post("/chat", json={"prompt": "hello", "max_tokens": 5})
        async with aclosing(connect(stack.url("gateway"), name="test")) as gateway:
            warnings = await check_broker(gateway)
        async with aclosing(connect(re.sub("//.*@", "//", stack.url("gateway")), name="test")) as nobody:
            with pytest.raises(PoolError, match=r"NOAUTH|required"):
                await nobody.command("PING")
    finally:
        await pool.close()

    assert json.loads(answer.text.splitlines()[-1])["status"] == "done"
    assert warnings == []
    assert (
        stack.url("worker").replace(str(stack.secrets / "ca.crt"), "ca.crt").replace(str(stack.port), "6379")
        in stack.said
    )


@needs_openssl
@needs_redis
async def test_the_stacks_health_check_asks_as_the_monitor(stack: Stack, eventually: Eventually) -> None:
    """The very command of compose.yaml, with the password in its environment."""
    await eventually(stack.answers, within=20)
    assert check_health(stack) == ("PONG", "")


def check_health(stack: Stack) -> tuple[str, str]:
    """Run the check; what it says, and complains of."""
    check = compose()["services"]["redis"]["healthcheck"]["test"]
    *words, ping = [word.replace("/run/secrets", str(stack.secrets)) for word in check[1:]]
    env = dict(line.split("=", 1) for line in (stack.secrets / "redis.env").read_text().splitlines())
    argv = [*words, "-p", str(stack.port), ping]
    told = subprocess.run(argv, env=env | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    return told.stdout.strip(), told.stderr
