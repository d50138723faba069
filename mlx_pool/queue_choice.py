"""Which queue is meant, by the models that were ever served."""

from collections.abc import Collection

from .failure import Unusable


def choose_model(asked: str | None, served: Collection[str]) -> str:
    """Choose the model asked for, else the only one.

    Raises:
        Unusable: it is not served (a mistyped name would be a queue that nobody reads), or a choice is needed.

    """
    names = ", ".join(sorted(served))
    if not served:
        raise Unusable("No worker has served a model here yet: start one with `mlx-pool worker`.")
    if asked is None and len(served) > 1:
        raise Unusable(f"Which model? Give one of them with --model: {names}.")
    if asked is not None and asked not in served:
        raise Unusable(f"No worker has ever served `{asked}` here; these are known: {names}.")
    return asked or next(iter(served))
