"""The catalogue: the models that have short names, as data from `catalog.toml`."""

from pathlib import Path

import msgspec

from shared.errors import Fault

PACKAGE = Path(__file__).parent
CHECKOUT = PACKAGE.parent.parent


class Wheel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="wheel"):
    """A GGUF file that lies in a Python package; the package is found, or fetched, and never imported."""

    package: str
    version: str
    module: str
    file: str
    sha256: str


class Hub(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="hub"):
    """A repository of MLX weights on the Hugging Face hub."""

    id: str


class Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="adapter"):
    """A model of any name, changed by an adapter: a folder among the models, or a path."""

    base: str
    folder: str


Source = Wheel | Hub


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model of the catalogue. Sizes are approximate; `memory_mb` is that of weights and some context on a GPU.

    `kv_mb` is what 1,000 more tokens of context take.
    """

    name: str
    about: str
    source: Source | Adapter
    family: str | None = None
    licence: str | None = None
    disk_mb: int | None = None
    memory_mb: int | None = None
    kv_mb: int | None = None
    context_tokens: int | None = None


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All entries, and the name that a worker serves when none is asked for."""

    default: str
    models: tuple[Entry, ...]

    def entry(self, name: str) -> Entry | None:
        """Find an entry by its name, whatever its case."""
        return next((entry for entry in self.models if entry.name == name.lower()), None)


def read_catalogue() -> Catalogue:
    """Read the catalogue: that of the checkout, else the copy which the wheel carries beside this module."""
    for path in (CHECKOUT / "models" / "catalog.toml", PACKAGE / "catalog.toml"):
        if path.is_file():
            return decode_catalogue(path.read_bytes(), str(path))
    raise Fault("internal", "This installation has no catalog.toml: install mlx-pool again.")


def decode_catalogue(data: bytes, where: str) -> Catalogue:
    """Decode a catalogue.

    Raises:
        Fault: it is not TOML, or a field is missing, unknown or of the wrong type.

    """
    try:
        return msgspec.toml.decode(data, type=Catalogue)
    except msgspec.DecodeError as error:
        raise Fault("internal", f"{where} can't be read: {error}") from error
