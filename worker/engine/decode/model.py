"""The wall around mlx-lm's models and caches: the only module of the decode room that knows its names.

What the room relies on: a model is called with ids [rows, n] and its layers' caches, and answers logits [rows, n,
vocabulary]; caches merge, extend, filter, and take right-padded rows through prepare and finalize.
"""

import copy
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self, cast

import mlx.core as mx
from mlx.utils import (
    tree_flatten,  # pyright: ignore[reportUnknownVariableType] its callback is not typed
)
from mlx_lm.models.cache import (  # pyright: ignore[reportMissingTypeStubs] mlx_lm is untyped
    ArraysCache,
    BatchKVCache,
    CacheList,
    KVCache,
    QuantizedKVCache,
    RotatingKVCache,
    make_prompt_cache,  # pyright: ignore[reportUnknownVariableType] mlx_lm is untyped
)

# The state of each id stands by itself in these, so that the last ones can be taken out again; in a rotating one as
# long as it has dropped none. Other kinds can't, and some of them say that they can: ConcatenateKVCache goes on behind
# what it should have trimmed, ChunkedKVCache would lack what it has dropped.
_KEEP_ALL = (KVCache, QuantizedKVCache)

# A prompt to try recurrences out with; and what rounding makes of a state at most, as a share of its largest number.
_SHORT = tuple(range(2, 18))
_ROUNDING = 0.05

# Kinds of which the last ids of all rows can be taken out again at any time.
_REWINDABLE = (KVCache, BatchKVCache)


class Model(Protocol):
    """A language model of mlx-lm."""

    def __call__(self, inputs: mx.array, /, *, cache: list[Any]) -> mx.array:
        """Ids [rows, n] in, logits [rows, n, vocabulary] out; the caches grow by n."""
        ...

    def parameters(self) -> dict[str, Any]:
        """All weights, a tree of arrays."""
        ...


class KV:
    """The state that some rows have left in the model's layers, all rows left-padded to one length."""

    def __init__(self, layers: list[Any], *, is_merged: bool = False) -> None:
        self.layers = layers
        self._is_merged = is_merged

    @classmethod
    def fresh(cls, model: Model) -> "KV":
        """The state of one row that has read nothing; it can't take in a second row before it is merged."""
        return cls(make_prompt_cache(cast("Any", model)))

    @classmethod
    def merged(cls, parts: Sequence["KV"]) -> "KV":
        """One state for all of these single rows, each in its place."""
        merged = [same[0].merge(list(same)) for same in zip(*(part.layers for part in parts), strict=True)]
        return cls(merged, is_merged=True)

    @property
    def can_merge(self) -> bool:
        """Whether such a row can be decoded together with others; some kinds of caches can't."""
        return all(_can_merge(layer) for layer in self.layers)

    @property
    def kv_bytes(self) -> int:
        """Memory held, in bytes."""
        return sum(layer.nbytes for layer in self.layers)

    @property
    def bytes_per_token(self) -> int:
        """What one more token of one row takes, once it has read something; layers of fixed size add nothing."""
        return sum(_bytes_per_token(layer) for layer in self.layers)

    @property
    def can_trim(self) -> bool:
        """Whether `trim` works on this single row as it is now."""
        return all(_can_trim(layer) for layer in self.layers)

    @property
    def can_always_trim(self) -> bool:
        """Whether `trim` will work on this single row however much it reads."""
        return all(_keeps_all(layer) for layer in self.layers)

    @property
    def can_rewind(self) -> bool:
        """Whether `rewind` works on these rows."""
        return all(isinstance(layer, _REWINDABLE) for layer in self.layers)

    def rewind(self, ids: int) -> None:
        """Take the last so many ids out of every row."""
        for layer in self.layers if ids else ():
            layer.trim(ids)

    def copy(self) -> Self:
        """A state of its own with the same contents: the memory is shared until one of both is written to."""
        return type(self)(copy.deepcopy(self.layers), is_merged=self._is_merged)

    def trim(self, ids: int) -> None:
        """Take the last so many ids out of this single row."""
        assert self.can_trim
        for layer in self.layers:
            layer.trim(ids)

    def row(self, place: int) -> "KV":
        """One row as a single one, in memory of its own, on its way to being computed."""
        alone = KV([_owned(layer.extract(place)) for layer in self.layers]) if self._is_merged else self.copy()
        mx.async_eval([layer.state for layer in alone.layers])
        return alone

    def forward(self, model: Model, ids: mx.array) -> mx.array:
        """Feed ids [rows, n]; the logits [rows, n, vocabulary] cost nothing unless they are evaluated."""
        return model(ids, cache=self.layers)

    def prefill(self, model: Model, rows: Sequence[Sequence[int]]) -> None:
        """Feed each row its ids and compute; rows of unequal length must be merged, and are filled up on the right."""
        lengths = [len(ids) for ids in rows]
        # One id a row is a decode step to some caches, and those take no padding: then it is two.
        longest = max(*lengths, 1 if min(lengths) == max(lengths) else 2)
        padding = [longest - length for length in lengths]
        if any(padding):
            for layer in self.layers:
                layer.prepare(lengths=lengths, right_padding=padding)
        self.forward(model, mx.array([[*ids, *[0] * more] for ids, more in zip(rows, padding, strict=True)]))
        if any(padding):
            for layer in self.layers:
                layer.finalize()
        mx.eval([layer.state for layer in self.layers])

    def extend(self, other: "KV") -> None:
        """Append the other's rows; both must be merged."""
        for mine, theirs in zip(self.layers, other.layers, strict=True):
            mine.extend(theirs)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, at least one, which come to stand in this order."""
        for layer in self.layers:
            layer.filter(list(rows))


def weight_bytes_of(model: Model) -> int:
    """What a step reads of the model at most, in bytes."""
    return sum(array.nbytes for _, array in cast("list[tuple[str, mx.array]]", tree_flatten(model.parameters())))


def vocabulary_of(model: Model) -> int:
    """How many ids the model knows: ids beyond would read outside of its embedding."""
    return KV.fresh(model).forward(model, mx.array([[0]])).shape[-1]


def takes_padding(model: Model) -> bool:
    """Whether rows of unequal length can be read together. All can but for some with recurrences, so those are tried.

    What fills a row up is read by some of them like the rest, and others forget what came before it.
    """
    if next(_recurrences(KV.fresh(model).layers), None) is None:
        return True
    try:
        alone, filled_up = (_first_recurrence(model, rows) for rows in ([_SHORT], [_SHORT, _SHORT * 3]))
        return all(_are_alike(one, other) for one, other in zip(alone, filled_up, strict=True))
    except Exception:  # noqa: BLE001 a model's own code, which may have been tried with single prompts only
        return False


def _first_recurrence(model: Model, rows: Sequence[Sequence[int]]) -> list[mx.array]:
    """What the first row has left in the first recurrent layer, which rounding has hardly touched yet."""
    kv = KV.merged([KV.fresh(model) for _ in rows])
    kv.prefill(model, rows)
    parts = cast("Sequence[mx.array | None]", next(_recurrences(kv.layers)).cache)
    return [part[0].astype(mx.float32) for part in parts if part is not None]


def _are_alike(one: mx.array, other: mx.array) -> bool:
    return bool(mx.all(mx.abs(one - other) <= _ROUNDING * mx.max(mx.abs(one))))


def _recurrences(layers: Sequence[Any]) -> Iterator[ArraysCache]:
    for layer in layers:
        if isinstance(layer, CacheList):
            yield from _recurrences(cast("Sequence[Any]", layer.caches))
        elif isinstance(layer, ArraysCache):
            yield layer


def _can_merge(layer: Any) -> bool:
    if isinstance(layer, CacheList):
        return all(_can_merge(part) for part in cast("Sequence[Any]", layer.caches))
    return hasattr(layer, "merge")


def _keeps_all(layer: Any) -> bool:
    if isinstance(layer, CacheList):
        return all(_keeps_all(part) for part in cast("Sequence[Any]", layer.caches))
    return isinstance(layer, _KEEP_ALL)


def _can_trim(layer: Any) -> bool:
    if isinstance(layer, CacheList):
        return all(_can_trim(part) for part in cast("Sequence[Any]", layer.caches))
    return _keeps_all(layer) or (isinstance(layer, RotatingKVCache) and cast("bool", layer.is_trimmable()))


def _owned(layer: Any) -> Any:
    """The extracted row without the memory of the rows beside it, which a slice would keep alive."""
    if isinstance(layer, CacheList):
        for part in cast("Sequence[Any]", layer.caches):
            _owned(part)
    elif isinstance(layer, ArraysCache):
        parts = cast("list[mx.array | None]", layer.cache)
        layer.cache = [part if part is None else mx.contiguous(part) for part in parts]
    return layer


def _bytes_per_token(layer: Any) -> int:
    if isinstance(layer, CacheList):
        return sum(_bytes_per_token(part) for part in cast("Sequence[Any]", layer.caches))
    keys, values = getattr(layer, "keys", None), getattr(layer, "values", None)
    if not isinstance(keys, mx.array) or not isinstance(values, mx.array):
        return 0
    return (keys.nbytes + values.nbytes) // (keys.shape[0] * keys.shape[2])
