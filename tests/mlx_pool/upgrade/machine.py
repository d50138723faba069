"""A machine of tests: an environment, a data folder, a name in the pool, and an `up` with the scripted engine."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from mlx_pool.upgrade.news import News, read_news
from shared.connection import Broker
from shared.pool import Pool
from shared.survey import WorkerView

from .wheels import OFFLINE, make_environment

MODEL = "scripted"


class Machine:
    """One of a shelf's, in a folder of its own."""

    def __init__(self, folder: Path, name: str, broker: str) -> None:
        self.name = name
        self.folder = folder
        self.prefix = folder / "env"
        self.env = {
            "PATH": f"{self.prefix / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "NO_COLOR": "1",
            "MLX_POOL_NAME": name,
            "MLX_POOL_DRAIN_S": "1",
            "MLX_POOL_ENGINE_ARGS": "--step-ms 40",
            **({"UV": os.environ["UV"]} if "UV" in os.environ else {}),
            **OFFLINE,
        }
        self._broker = broker

    def install(self, wheel: Path, *, by_uv: bool) -> None:
        """Install mlx-pool."""
        self.folder.mkdir()
        make_environment(self.prefix, wheel, by_uv=by_uv)

    @contextlib.asynccontextmanager
    async def up(self, port: int, *, workers: int = 1) -> AsyncGenerator[None]:
        """Run `mlx-pool up` in some terminal."""
        flags = ("--engine", "scripted", "--slots", "8", "--workers", str(workers), "--redis", self._broker)
        with (self.folder / "up.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(str(self.prefix / "bin/mlx-pool"), "up", *flags, "--port", str(port)),
                *("--data", str(self.folder / "data")),
                stderr=log,
                env=self.env,
                cwd=self.folder,
            )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            await process.wait()

    async def upgrade(self, *flags: str) -> tuple[int, list[News]]:
        """Run `mlx-pool upgrade --json` there."""
        process = await asyncio.create_subprocess_exec(
            *(str(self.prefix / "bin/mlx-pool"), "upgrade", "--json", *flags),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, [news for line in out.decode().splitlines() if (news := read_news(line))]

    async def upgrade_until(self, step: str, then: Callable[[int], None], *flags: str) -> int:
        """Run it in a session of its own, as ssh does, until it tells this step; nobody listens any more after that.

        `then` is called with the session; gives the exit code.
        """
        heard, told = os.pipe()
        process = await asyncio.create_subprocess_exec(
            *(str(self.prefix / "bin/mlx-pool"), "upgrade", "--json", *flags),
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            env=self.env,
            start_new_session=True,
        )
        os.close(told)
        with os.fdopen(heard) as lines:
            await asyncio.to_thread(lambda: next(line for line in lines if f'"step":"{step}"' in line))
        then(process.pid)
        return await process.wait()

    def installed(self) -> str:
        """Tell the version that its command tells."""
        command = [str(self.prefix / "bin/mlx-pool"), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.env).stdout.strip()

    def beside(self) -> list[str]:
        """Tell what an upgrade has left beside its environment."""
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith(".env."))

    async def workers(self, broker: Broker) -> list[WorkerView]:
        """Give its workers that take jobs, as the pool sees them."""
        survey = await Pool(broker).queue(MODEL).survey()
        return [view for view in survey.ready_workers if view.id.startswith(f"{self.name}.")]
