"""The import of a GGUF file: checked, its tensors moved, and written as a normal MLX model folder."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from shared.errors import Fault, Refused

from .disk import check_room
from .gguf import Header, mlx_config, mlx_name, read_header, rotary_heads
from .progress import Progress
from .vocabulary import tokenizer_config, tokenizer_json

if TYPE_CHECKING:
    import mlx.core as mx

_Gguf = tuple[dict[str, "mx.array"], dict[str, object]]

_WORD_BITS = 32  # mlx packs quantized values in words of this size


def import_gguf(file: Path, folder: Path, progress: Progress, *, sha256: str | None = None) -> None:
    """Write the model of a GGUF file into `folder`, which exists and is empty. Blocks for about a second a 100 MB.

    Raises:
        Refused: no such file, not a GGUF file, or a kind of model that is not converted.
        Fault: the file's checksum is not `sha256`, or the disk has no room.

    """
    progress(f"Checking {file.name}", 0.0)
    _check(file, sha256)
    progress(f"Reading {file.name}", 0.2)
    tensors, header = _read(file)
    progress(f"Converting {file.name}", 0.4)
    weights = {mlx_name(name): _converted(name, tensor, header) for name, tensor in tensors.items()}
    check_room(f"The import of {file.name}", sum(tensor.nbytes for tensor in weights.values()), folder)
    progress("Writing weights and tokenizer", 0.6)
    _write(folder, header, weights)
    progress(f"Imported {file.name}", 1.0)


def _check(file: Path, sha256: str | None) -> None:
    try:
        with file.open("rb") as stream:
            if stream.read(4) != b"GGUF":
                raise Refused("invalid_value", f"{file} is not a GGUF file.", param="model")
            if sha256 is None:
                return
            stream.seek(0)
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise Refused("model_not_found", f"{file} can't be read: {error.strerror}.", param="model") from error
    if found != sha256:
        raise Fault(
            "internal",
            f"{file} is damaged (its SHA-256 is {found[:12]}…, not {sha256[:12]}…): install its package again.",
        )


def _read(file: Path) -> tuple[dict[str, "mx.array"], Header]:
    import mlx.core as mx  # noqa: PLC0415 -- names are looked up where there is no mlx

    try:
        # The stub's result is that of every format; this format gives a pair of dictionaries.
        tensors, metadata = cast("_Gguf", mx.load(str(file), format="gguf", return_metadata=True))
    except (RuntimeError, ValueError) as error:
        raise Refused("invalid_value", f"{file} can't be read as GGUF: {error}", param="model") from error
    plain = {key: value.tolist() if isinstance(value, mx.array) else value for key, value in metadata.items()}
    return tensors, read_header(plain)


def _converted(name: str, tensor: "mx.array", header: Header) -> "mx.array":
    import mlx.core as mx  # noqa: PLC0415 -- as above

    if heads := rotary_heads(name, header):
        # llama.cpp interleaves the two halves that MLX rotates against each other. Rows are whole in weight, scales and
        # biases alike, so each of them moves in the same way.
        rows = tensor.shape[0]
        tensor = tensor.reshape(heads, rows // heads // 2, 2, -1).swapaxes(1, 2).reshape(tensor.shape)
    # One float type throughout, and that of the training: a float32 norm would make all activations after it float32,
    # slow on a GPU; and in float16 some of the default model's, 27,000 and more, come near the largest number.
    return tensor.astype(mx.bfloat16) if mx.issubdtype(tensor.dtype, mx.floating) else tensor


def _write(folder: Path, header: Header, weights: Mapping[str, "mx.array"]) -> None:
    import mlx.core as mx  # noqa: PLC0415 -- as above

    mx.save_safetensors(str(folder / "model.safetensors"), dict(weights), metadata={"format": "mlx"})
    config = mlx_config(header, _quantization(weights), tied="lm_head.weight" not in weights)
    for name, content in (
        ("config.json", config),
        ("tokenizer.json", tokenizer_json(header)),
        ("tokenizer_config.json", tokenizer_config(header)),
    ):
        (folder / name).write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1))
    (folder / "chat_template.jinja").write_text(header.chat_template, encoding="utf-8")


def _quantization(weights: Mapping[str, "mx.array"]) -> dict[str, tuple[int, int]]:
    """Give (group size, bits) of each quantized module, from its shapes: GGUF's blocks are always 32 values."""
    group = 32
    return {
        name.removesuffix(".scales"): (
            group,
            weights[name.removesuffix("scales") + "weight"].shape[-1] * _WORD_BITS // (scales.shape[-1] * group),
        )
        for name, scales in weights.items()
        if name.endswith(".scales")
    }
