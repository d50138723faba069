"""The body of `POST /v1/completions`: every field that does something. Fields not named here are ignored."""

from typing import Annotated

from msgspec import Meta

from shared.job import MAX_LOGPROBS, TokenId

from .sampling import MaxTokens, Sampling

Tokens = Annotated[list[TokenId], Meta(max_length=1_000_000)]


class TextRequest(Sampling, frozen=True, kw_only=True):
    """Texts to go on with, as they are."""

    # One of four: a text, texts, ids, lists of ids. A type can't say that a list's entries are all of one kind.
    prompt: str | Annotated[list[str | TokenId | Tokens], Meta(min_length=1, max_length=1_000_000)]
    max_tokens: MaxTokens = 16
    echo: bool = False
    logprobs: Annotated[int, Meta(ge=0, le=MAX_LOGPROBS)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    suffix: str | None = None
