"""Whether a model's weights fit, decided before they are read: a machine that swaps answers nobody."""

from shared.errors import Fault, PoolError, Refused

from .adapter import Adapter
from .compute import Compute
from .folder import ModelFolder

# Beside the weights: the process, and the state of a first short conversation.
_REST_BYTES = 256 << 20
_GB = 1_000_000_000


def weight_bytes(folder: ModelFolder, adapter: Adapter | None) -> int:
    """Count the bytes of all weights as they lie on disk, the smallest form in which they are ever held."""
    files = [*folder.weight_files, *([adapter.weight_file] if adapter else [])]
    offsets = [tensor.data_offsets for file in files for tensor in file.tensors.values()]
    return sum(end - start for start, end in offsets)


def lack_of_room(name: str, weights: int, compute: Compute) -> PoolError | None:
    """Tell why weights of this many bytes can't be loaded; None where they can, or where sizes are not known.

    What the machine can never hold is `Refused`. What it could if others left is a `Fault`: trying again may help.
    """
    needed = weights + _REST_BYTES
    total, free = compute.total_bytes, compute.free_bytes
    needs = f"{name} needs {_gb(needed)} of memory, {_gb(weights)} of it for weights"
    if total is not None and needed > total:
        return Refused(
            "does_not_fit",
            f"{needs}, and there are {_gb(total)} in all: take a smaller model; mlx-pool models list shows what fits.",
            param="model",
        )
    if free is not None and needed > free:
        return Fault(
            "engine_failed", f"{needs}, and only {_gb(free)} are free: end other programs, or take a smaller model."
        )
    return None


def _gb(size: int) -> str:
    return f"{size / _GB:.1f} GB"
