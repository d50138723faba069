"""What `import` takes in besides GGUF: a model folder or an adapter folder from elsewhere, checked, copied or linked.

The check is the engine's own, so what is imported can be loaded. Pickles and code are neither opened nor copied.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from shared.errors import Refused
from worker.engine.load.adapter import Adapter, read_adapter
from worker.engine.load.folder import read_folder

from .adapters import CONFIG
from .disk import check_room
from .progress import Progress

_TEXT_ENDINGS = {".json", ".jinja", ".txt", ".model", ".tiktoken"}
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "*.tiktoken")
_BLOCK_BYTES = 16 << 20


def import_model(source: Path, folder: Path, progress: Progress, *, link: bool = False) -> None:
    """Bring the model in `source` into `folder`, which exists and is empty. Blocks while it copies.

    With `link` the new folder has symbolic links to the old one's files, which must stay where they are.

    Raises:
        Refused: the folder lacks something, or is broken; the message names the file.
        Fault: the disk has no room for a copy.

    """
    progress(f"Checking {source.name}", 0.0)
    model = read_folder(source)
    if not any(next(source.glob(name), None) for name in _TOKENIZERS):
        raise Refused(
            "model_not_found", f"{source} has no tokenizer (tokenizer.json): copy or download it again.", param="model"
        )
    texts = (path for path in source.iterdir() if path.suffix in _TEXT_ENDINGS and not path.name.startswith("."))
    _place([*sorted(texts), *(file.path for file in model.weight_files)], folder, progress, link=link)


def import_adapter(source: Path, folder: Path, progress: Progress, *, base: str | None, link: bool = False) -> None:
    """Bring the adapter in `source` into `folder`, as `import_model` does a model.

    `base` is the model that it adapts, in place of what its configuration says.
    """
    progress(f"Checking {source.name}", 0.0)
    adapter = read_adapter(source)
    files = [adapter.weight_file.path, *([] if base else [source / CONFIG])]
    _place(files, folder, progress, link=link)
    if base:
        _write_config(adapter, folder, base)


def _write_config(adapter: Adapter, folder: Path, base: str) -> None:
    (folder / CONFIG).write_text(json.dumps(adapter.config | {"model": base}, indent=1), encoding="utf-8")


def _place(files: Iterable[Path], folder: Path, progress: Progress, *, link: bool) -> None:
    sizes = {path: path.stat().st_size for path in files}
    if link:
        for path in sizes:
            (folder / path.name).symlink_to(path.resolve())
        return
    total = max(1, sum(sizes.values()))
    check_room(folder.name.strip(".").removesuffix(".partial"), total, folder)
    done = 0
    for path in sizes:
        with path.open("rb") as old, (folder / path.name).open("wb") as new:
            while block := old.read(_BLOCK_BYTES):
                new.write(block)
                done += len(block)
                progress(f"Copying {path.name}", done / total)
