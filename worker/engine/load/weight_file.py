"""A safetensors file's header as values: what tensors there are, without their data."""

from pathlib import Path

import msgspec

from shared.errors import Refused

_HEADER_LIMIT_BYTES = 100_000_000  # the format's own


class Tensor(msgspec.Struct, frozen=True):
    """One entry of a safetensors header; the offsets count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


class WeightFile(msgspec.Struct, frozen=True):
    """A safetensors file and what it holds by name."""

    path: Path
    data_starts_at: int
    tensors: dict[str, Tensor]


def read_weight_file(path: Path) -> WeightFile:
    """Read a safetensors header: eight bytes of its length, little-endian, then JSON; then the data.

    Raises:
        Refused: the file is no safetensors file, or a part of it is missing.

    """
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(_HEADER_LIMIT_BYTES, path.stat().st_size):
                raise _broken(path, "it has no header")
            raw = msgspec.json.decode(stream.read(length), type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(entry, type=Tensor) for name, entry in raw.items()}
    except (OSError, msgspec.DecodeError) as error:
        raise _broken(path, str(error)) from error
    file = WeightFile(path, 8 + length, tensors)
    lacking = file.data_starts_at + max((end for _, end in _offsets(file)), default=0) - path.stat().st_size
    if lacking > 0:
        raise _broken(path, f"{lacking} bytes are missing at its end")
    return file


def _offsets(file: WeightFile) -> list[tuple[int, int]]:
    return [tensor.data_offsets for tensor in file.tensors.values()]


def _broken(path: Path, why: str) -> Refused:
    return Refused("model_not_found", f"{path} is broken ({why}): copy or download the model again.", param="model")
