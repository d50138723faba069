"""What must be the same for two workers to serve one queue: configuration, weights, adapter, tokenizer, template."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from .adapter import Adapter
from .folder import ModelFolder
from .weight_file import Tensor, WeightFile

# Written by whoever saved the folder, and of no consequence for what the model says.
_IDLE_KEYS = frozenset({"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"})
_TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
)
_SAMPLES, _SAMPLE_BYTES = 256, 64
# Of an adapter's configuration what its weights mean; the rest tells of the run that made it.
_ADAPTER_KEYS = ("fine_tune_type", "num_layers", "lora_parameters")


def fingerprint(folder: ModelFolder, adapter: Adapter | None = None) -> str:
    """Hash what decides a model's answers, in milliseconds: 16 hexadecimal digits, the same on every machine.

    Of the weights it takes names, types and shapes from the headers, and a few bytes of some tensors' data, so that a
    model and its fine-tuned sister differ. How the weights are cut into files makes no difference.
    """
    digest = hashlib.sha256()
    for name, data in _parts(folder, adapter):
        # Lengths too, so that no two lists of parts run together to the same bytes.
        digest.update(f"{name}:{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def _parts(folder: ModelFolder, adapter: Adapter | None) -> Iterator[tuple[str, bytes]]:
    config = {key: value for key, value in folder.config.items() if key not in _IDLE_KEYS}
    yield "config", json.dumps(config, sort_keys=True).encode()
    yield from _weights(folder.weight_files)
    for name in _TEXT_FILES:
        if (folder.path / name).is_file():
            yield name, (folder.path / name).read_bytes()
    if adapter:
        yield "adapter", json.dumps([adapter.config.get(key) for key in _ADAPTER_KEYS], sort_keys=True).encode()
        yield from _weights((adapter.weight_file,))


def _weights(files: Sequence[WeightFile]) -> Iterator[tuple[str, bytes]]:
    named = ((name, file, tensor) for file in files for name, tensor in file.tensors.items())
    tensors = sorted(named, key=lambda one: one[0])
    for name, _, tensor in tensors:
        yield name, f"{tensor.dtype}{tensor.shape}".encode()
    for name, file, tensor in tensors[:: len(tensors) // _SAMPLES + 1]:
        yield name, _sample(file, tensor)


def _sample(file: WeightFile, tensor: Tensor) -> bytes:
    """Read a few bytes from the middle of a tensor: ends may be padding, which all models have alike."""
    start, end = tensor.data_offsets
    with file.path.open("rb") as stream:
        stream.seek(file.data_starts_at + (start + end) // 2)
        return stream.read(min(_SAMPLE_BYTES, end - (start + end) // 2))
