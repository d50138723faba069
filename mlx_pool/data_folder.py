"""The folder where one `mlx-pool up` keeps what outlives it: the queue's data, secrets, logs and its own state."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from .failure import Unusable


class DataFolder(msgspec.Struct, frozen=True):
    """Where each thing lies. The folder is its user's alone: it holds secrets, prompts and answers."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held by the `up` that runs on this folder."""
        return self.path / "lock"

    @property
    def state(self) -> Path:
        """What runs now, for other commands and for whoever has to clean up."""
        return self.path / "up.json"

    @property
    def logs(self) -> Path:
        """One file a part."""
        return self.path / "logs"

    @property
    def broker(self) -> Path:
        """The embedded broker's configuration and append-only file."""
        return self.path / "broker"

    @property
    def secrets(self) -> Path:
        """Made passwords and keys, one a file of mode 600."""
        return self.path / "secrets"

    @property
    def api_keys(self) -> Path:
        """The gateway's API keys, as `mlx-pool keys` writes them."""
        return self.secrets / "api-keys.json"

    def create(self) -> None:
        """Make the folder and its rooms, readable by their user alone.

        Raises:
            Unusable: the folder can't be made or written.

        """
        try:
            for folder in (self.path, self.logs, self.broker, self.secrets):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Unusable(
                f"The data folder {self.path} can't be made ({error.strerror}): give another with --data DIR."
            ) from error
        if not os.access(self.path, os.W_OK):
            raise Unusable(f"The data folder {self.path} can't be written: give another with --data DIR.")


def data_folder(given: Path | None, env: Mapping[str, str]) -> DataFolder:
    """Choose the data folder: the one given, else MLX_POOL_DATA, else `.run` in a checkout, else the user's own."""
    if named := given or env.get("MLX_POOL_DATA"):
        return DataFolder(Path(named).expanduser().absolute())
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "Makefile").is_file() and (checkout / "pyproject.toml").is_file():
        return DataFolder(checkout / ".run")
    return DataFolder(user_data_home(env, sys.platform) / "mlx-pool")


def user_data_home(env: Mapping[str, str], platform: str) -> Path:
    """Give the folder in which this platform's users keep their programs' data."""
    if xdg := env.get("XDG_DATA_HOME"):
        return Path(xdg)
    home = Path(env.get("HOME") or Path.home())
    return home / ("Library/Application Support" if platform == "darwin" else ".local/share")
