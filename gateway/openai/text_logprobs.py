"""Logprobs as the older completions API has them: four lists side by side, instead of a list of entries."""

from collections.abc import Sequence

import msgspec

from shared.event import TokenLogprob


class TextLogprobs(msgspec.Struct, frozen=True):
    """Each token, how likely it was, the likeliest ones at its place, and where in the answer its text begins."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]


def text_logprobs(entries: Sequence[TokenLogprob], offset: int, *, has_top: bool) -> TextLogprobs:
    """The lists; the first token's text begins at `offset`, in characters. Without `has_top` no likeliest ones."""
    offsets: list[int] = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry.token)
    return TextLogprobs(
        tokens=[entry.token for entry in entries],
        token_logprobs=[entry.logprob for entry in entries],
        top_logprobs=[{top.token: top.logprob for top in entry.top_logprobs} for entry in entries] if has_top else None,
        text_offset=offsets,
    )


def end_of(logprobs: TextLogprobs, offset: int) -> int:
    """Where the text of the tokens behind these begins."""
    return offset + sum(map(len, logprobs.tokens))


def entries_of(raw: bytes) -> list[TokenLogprob]:
    """The entries behind their JSON."""
    return msgspec.json.decode(raw, type=list[TokenLogprob])
