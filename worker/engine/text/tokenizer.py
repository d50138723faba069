"""The wall around mlx-lm's tokenizer: the only module that knows its names and those of the template library."""

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from transformers.utils import chat_template_utils

from shared.errors import Refused

from .dialect import Dialect
from .spelling import spelling_of


class Detokenizer(Protocol):
    """Turns one request's ids into text, bit by bit."""

    @property
    def last_segment(self) -> str:
        """The text that became readable since this was last asked for."""
        ...

    def add_token(self, token: int) -> None:
        """Take the next id."""
        ...

    def finalize(self) -> None:
        """Make what was held back readable, complete or not."""
        ...


class Tokenizer:
    """What the engine asks of a tokenizer."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped
        self._size = len(wrapped)
        pieces = cast("list[str | None]", wrapped.convert_ids_to_tokens(list(range(self._size))))
        self._gaps = frozenset(token for token, piece in enumerate(pieces) if piece is None)
        self._spelling = spelling_of(pieces)
        self._added = frozenset(cast("Mapping[int, Any]", wrapped.added_tokens_decoder))
        self._bytes: dict[int, bytes] = {}  # of the ids that were asked for
        self.dialect = Dialect(wrapped)

    @property
    def size(self) -> int:
        """How many ids it knows; a model may have more, or fewer."""
        return self._size

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a turn."""
        return frozenset(cast("set[int]", self._wrapped.eos_token_ids))

    @property
    def opens_thoughts(self) -> Sequence[int]:
        """The ids with which the model begins to think before it answers; none where it never does."""
        return cast("Sequence[int] | None", self._wrapped.think_start_tokens) or ()

    @property
    def closes_thoughts(self) -> Sequence[int]:
        """The ids behind which the answer begins."""
        return cast("Sequence[int] | None", self._wrapped.think_end_tokens) or ()

    def serialised(self) -> str | None:
        """The tokenizer as Hugging Face's library writes it in JSON; None for one that is not of its kind."""
        backend = getattr(self._wrapped, "backend_tokenizer", None)
        if backend is None:
            return None
        plain = copy.copy(backend)  # what it does when many texts are encoded at once is not asked for
        plain.no_padding()
        plain.no_truncation()
        return plain.to_str()

    @property
    def has_chat_template(self) -> bool:
        """Whether conversations can be written out for this model."""
        return bool(self._wrapped.has_chat_template)

    def has_text(self, token: int) -> bool:
        """Whether the id stands for text; models are padded with ids that stand for none."""
        return token < self._size and token not in self._gaps

    def bytes_of(self, token: int) -> bytes:
        """The bytes that the id stands for, often part of a character; none for an id without text."""
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._spelled(token) if self.has_text(token) else b""
        return known

    def is_blank(self, token: int) -> bool:
        """Whether the id stands for blanks and line ends, or for no text at all."""
        return not self.bytes_of(token).strip()

    def detokenizer(self) -> Detokenizer:
        """A fresh detokenizer."""
        return cast("Detokenizer", self._wrapped.detokenizer)

    def encode(self, text: str) -> list[int]:
        """The ids of plain text, with what the model wants before any text."""
        return list(self._wrapped.encode(text))

    def encode_chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        options: Mapping[str, object],
        *,
        now_ms: int,
        is_answered: bool = True,
    ) -> list[int]:
        """The ids of a conversation up to where the model answers; a template's clock shows `now_ms`, in UTC.

        Without `is_answered` they end behind the last message, where no answer has begun.

        Raises:
            Refused: the template takes no such conversation.

        """
        self._set_clock(now_ms)
        try:
            ids = self._wrapped.apply_chat_template(
                [dict(message) for message in messages], add_generation_prompt=is_answered, **options
            )
        except Exception as error:  # a template is a program of the model's folder, and raises anything
            raise Refused(
                "invalid_value", f"The model's chat template takes no such messages: {error}", param="messages"
            ) from error
        return list(ids)

    def _spelled(self, token: int) -> bytes:
        if self._spelling is None:
            return self._wrapped.decode([token]).encode()
        return self._spelling(self._wrapped.convert_ids_to_tokens(token), is_added=token in self._added)

    def _set_clock(self, now_ms: int) -> None:
        """Show every attempt of a job the same time. The library gives templates no other way to its clock."""
        template = self._wrapped.chat_template
        if not isinstance(template, str) or "strftime_now" not in template:
            return
        moment = dt.datetime.fromtimestamp(now_ms / 1_000, tz=dt.UTC)
        compiled = cast("Any", chat_template_utils)._compile_jinja_template(template)  # noqa: SLF001 its cache has no other door
        compiled.globals["strftime_now"] = moment.strftime
