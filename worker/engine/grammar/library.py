"""The wall around llguidance: the only module that knows its names."""

import json
from collections.abc import Collection
from typing import Any, assert_never

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer
from numpy.typing import NDArray

from shared.errors import Refused
from shared.grammar import Form, JsonObject, JsonSchema, Lark, Regex

# One space, or a line's end with its indentation. Unbounded, a model may write blanks until its limit.
_WHITESPACE = r"\x20|\n[\x20\t]{0,32}"
JSON_OPTIONS: dict[str, Any] = {
    "item_separator": ",",
    "key_separator": ":",
    "whitespace_flexible": True,
    "whitespace_pattern": _WHITESPACE,
    "coerce_one_of": False,
    "lenient": False,
    "json_allow_general_unicode_escapes": False,
}


class Vocabulary:
    """A model's ids as the library knows them. Takes a second to make; any thread may use it."""

    def __init__(self, tokenizer: str | None, *, size: int, ends: Collection[int], known: int = 0) -> None:
        """`tokenizer` is Hugging Face's JSON, if there is any; `size` is the width of the model's logits.

        `known` is how many ids the tokenizer has: some have marks that their model lacks, an image's say.

        Raises:
            Refused: the library can't use such a tokenizer.

        """
        if not ends:
            raise Refused("unsupported", "The model has no end of turn, so that no answer of a form could end.")
        if tokenizer is None:
            raise Refused("unsupported", "The model's tokenizer is of a kind that can't be held to a grammar.")
        self.size = size
        self.known = max(size, known)
        self.ends = frozenset(end for end in ends if end < size)
        try:
            self.ids = LLTokenizer(tokenizer, n_vocab=self.known, eos_token=sorted(ends))
        except (ValueError, TypeError, IndexError) as error:
            raise Refused("unsupported", f"The model's tokenizer can't be held to a grammar: {error}.") from error


class Matcher:
    """How far a text has come in its grammar. One thread at a time."""

    def __init__(self, vocabulary: Vocabulary, inner: LLMatcher) -> None:
        self._vocabulary = vocabulary
        self._inner = inner

    @classmethod
    def compiled(cls, vocabulary: Vocabulary, form: Form) -> "Matcher":
        """Compile; ask `error` whether that went well.

        Blocks, with the interpreter's lock released, and needs a deep stack: the compiler recurses with every rule that
        leads to another.
        """
        return cls(vocabulary, LLMatcher(vocabulary.ids, _source_of(form), log_level=0, limits=_limits()))

    @property
    def error(self) -> str | None:
        """What went wrong, if anything: from then on it matches nothing."""
        return self._inner.get_error().removesuffix("<non-verbose/>").strip() or None

    @property
    def is_over(self) -> bool:
        """Whether the text is complete and nothing can be added."""
        return self._inner.is_stopped() and not self._inner.is_error()

    def copy(self) -> "Matcher":
        """Another one at the same place, for another text."""
        return Matcher(self._vocabulary, self._inner.deep_copy())

    def fill(self, words: NDArray[np.uint32]) -> None:
        """Set the bits of the ids that may be next, bit i of word w for id 32 w + i, and clear all others.

        All are set after an error: no id would be right, and a row of none can't be drawn from.
        """
        if not self._inner.is_error():
            known = words_of(self._vocabulary.known)
            whole = words if len(words) == known else np.zeros(known, dtype=np.uint32)
            self._inner.unsafe_compute_mask_ptr(whole.ctypes.data, whole.nbytes)
            words[:] = whole[: len(words)]
        if self._inner.is_error():
            words[:] = np.iinfo(np.uint32).max

    def take(self, token: int) -> None:
        """Go on by an id; one that is not allowed is an error."""
        self._inner.consume_token(token)


def words_of(size: int) -> int:
    """How many words hold a bit for each of so many ids."""
    return -(-size // 32)


def _source_of(form: Form) -> str:
    match form:
        case JsonObject():
            return LLMatcher.grammar_from_json_schema('{"type":"object"}', overrides=_options())
        case JsonSchema(json_schema=named):
            return LLMatcher.grammar_from_json_schema(json.dumps(named.schema), overrides=_options())
        case Regex(value=value):
            return LLMatcher.grammar_from_regex(value)
        case Lark(value=value):
            return LLMatcher.grammar_from_lark(value)
        case _:
            assert_never(form)


def _options() -> Any:
    return dict(JSON_OPTIONS)


def _limits() -> LLParserLimits:
    """Bounds of time and memory, in the library's own units: some milliseconds for a step, some MiB for a grammar."""
    return LLParserLimits(
        initial_lexer_fuel=250_000,
        step_lexer_fuel=200_000,
        step_max_items=50_000,
        max_items_in_row=2_000,
        max_lexer_states=50_000,
        max_grammar_size=200_000,
        verbose_errors=False,
    )
