"""From what a person types to a model: which queue it serves, where its folder is, and whence it comes if missing."""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from shared.errors import Refused

from .adapters import base_of, is_adapter_folder
from .entries import Adapter, Catalogue, Hub, Source, read_catalogue
from .folders import folder_of, is_model_folder, queue_of
from .snapshot import cached_snapshot

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


class Resolved(msgspec.Struct, frozen=True):
    """A model that was asked for. With a `source` its folder is not there yet and must be brought from it.

    With an `adapter`, a folder that is there, the folder is that of the model which the adapter changes.
    """

    queue: str
    folder: Path
    source: Source | None = None
    adapter: Path | None = None


def resolve(
    name: str, *, models_dirs: Sequence[Path], env: Mapping[str, str], catalogue: Catalogue | None = None
) -> Resolved:
    """Find the model of this name; nothing is fetched or written.

    A name is, in this order: a path (it starts with `/`, `.` or `~`, or leads to a model folder), a name of the
    catalogue, a folder in one of `models_dirs`, or an id of the Hugging Face hub. The empty name means the folder in
    the environment's MLX_MODEL_PATH, or the catalogue's default. Folders are models', or adapters'.

    Raises:
        Refused: no such model; the message says what there is.

    """
    catalogue = catalogue or read_catalogue()
    found = _found(name, models_dirs, env, catalogue)
    if isinstance(found, Resolved):
        return found
    try:
        base = _found(found.base, models_dirs, env, catalogue)
    except Refused as error:
        raise _no_base(found, error.message) from error
    if not isinstance(base, Resolved):
        raise _no_base(found, "that is an adapter itself")
    return Resolved(found.queue, base.folder, base.source, found.folder)


class _Tuned(msgspec.Struct, frozen=True):
    """An adapter, and the name of the model that it changes."""

    queue: str
    folder: Path
    base: str


_Found = Resolved | _Tuned


def _found(name: str, models_dirs: Sequence[Path], env: Mapping[str, str], catalogue: Catalogue) -> _Found:
    if not name:
        if path := env.get("MLX_MODEL_PATH"):
            return _folder(Path(path), f"MLX_MODEL_PATH={path}")
        name = catalogue.default
    if name.startswith(("/", ".", "~")) or is_model_folder(Path(name)) or is_adapter_folder(Path(name)):
        return _folder(Path(name), name)
    if entry := catalogue.entry(name):
        if isinstance(entry.source, Adapter):
            return _Tuned(entry.name, _adapter(entry.source, models_dirs), entry.source.base)
        return _named(entry.name, entry.source, models_dirs, env)
    if present := _present(name, models_dirs) or _present(name, models_dirs, is_adapter_folder):
        return _folder(present, name)
    if _HUB_ID.fullmatch(name):
        listed = [entry.name for entry in catalogue.models if entry.source == Hub(name)]
        return _named(name, Hub(name), models_dirs, env, also=listed)
    raise Refused("model_not_found", _unknown(name, catalogue, models_dirs), param="model")


def _folder(path: Path, asked: str) -> _Found:
    path = path.expanduser()
    if is_model_folder(path):
        return Resolved(queue_of(path), path)
    if is_adapter_folder(path):
        return _Tuned(queue_of(path), path, base_of(path))
    if not path.exists():
        problem = "there is no such folder"
    elif not (path / "config.json").is_file():
        problem = "it has no config.json, so it is no MLX model folder"
    else:
        problem = "its weights (*.safetensors) are missing, or not all that its index names are there"
    raise Refused("model_not_found", f"{asked}: {problem}.", param="model")


def _adapter(source: Adapter, models_dirs: Sequence[Path]) -> Path:
    """Find the folder of a catalogue's adapter; it is nowhere to be had from."""
    path = Path(source.folder).expanduser()
    places = [path] if path.is_absolute() else [folder / path for folder in models_dirs]
    if present := next((place for place in places if is_adapter_folder(place)), None):
        return present
    raise Refused(
        "model_not_found",
        f"There is no adapter in {places[0]}: put its adapter_config.json and adapters.safetensors there.",
        param="model",
    )


def _no_base(tuned: _Tuned, why: str) -> Refused:
    return Refused("model_not_found", f"{tuned.queue} is an adapter of {tuned.base}: {why}", param="model")


def _named(
    name: str, source: Source, models_dirs: Sequence[Path], env: Mapping[str, str], *, also: Sequence[str] = ()
) -> Resolved:
    places = [folder_of(name), *also]
    if isinstance(source, Hub):
        # Folders put there by hand bear the repository's own name, with or without its owner's.
        places += [folder_of(source.id), source.id.rpartition("/")[2]]
    for place in dict.fromkeys(places):
        if present := _present(place, models_dirs):
            return Resolved(name, present)
    if isinstance(source, Hub) and (snapshot := cached_snapshot(source.id, env)):
        return Resolved(name, snapshot)
    return Resolved(name, models_dirs[0] / places[0], source)


def _present(
    place: str, models_dirs: Sequence[Path], is_whole: Callable[[Path], bool] = is_model_folder
) -> Path | None:
    if "/" in place or place.startswith("."):
        return None
    return next((folder / place for folder in models_dirs if is_whole(folder / place)), None)


def _unknown(name: str, catalogue: Catalogue, models_dirs: Sequence[Path]) -> str:
    names = [entry.name for entry in catalogue.models]
    close = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f" Did you mean {close[0]}?" if close else f" Known: {', '.join(names)}."
    return (
        f"There is no model named {name}.{hint} It may also be a folder in {models_dirs[0]}, a path, or a Hugging Face "
        "id such as mlx-community/Qwen3-4B-4bit."
    )
