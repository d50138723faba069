"""The models as OpenAI's clients list them."""

from collections.abc import Iterable

import msgspec


class Model(msgspec.Struct, frozen=True, tag_field="object", tag="model"):
    """A model. Nobody knows when it was made."""

    id: str
    created: int = 0
    owned_by: str = "mlx-pool"


class ModelList(msgspec.Struct, frozen=True, tag_field="object", tag="list"):
    """All of them."""

    data: list[Model]


def list_of(names: Iterable[str]) -> ModelList:
    """The list of these names."""
    return ModelList([Model(name) for name in names])
