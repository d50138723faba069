"""A worker that is wanted as a service, with a secret that nobody else may see."""

from pathlib import Path

import msgspec

from mlx_pool.service.owner import Owner
from mlx_pool.service.place import Manager, Place, place_of
from mlx_pool.service.want import Scope, Want

SECRET = "redis://worker:s3cret@vm:6379/0"
WANT = Want(
    name="worker",
    part="worker",
    argv=("--model", "a model", "--drain-s", "60"),
    env={"MLX_POOL_REDIS_URL": SECRET},
    folder="/home/ada/pool",
)


def owner(scope: Scope = "user") -> Owner:
    """Ada's."""
    return Owner("ada", 501, Path("/home/ada"), scope)


def place(manager: Manager, scope: Scope = "user", *, home: Path = Path("/home/ada")) -> Place:
    """Where her worker's files lie."""
    return place_of("worker", manager, scope, home)


def wanted(**changes: object) -> Want:
    """The same, but for these."""
    return msgspec.structs.replace(WANT, **changes)
