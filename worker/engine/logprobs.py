"""What is told of how likely ids were: entries as OpenAI's chat API has them, made of bytes and numbers. Pure."""

from collections.abc import Iterable

from shared.event import TokenLogprob, TopLogprob

# Instead of what JSON can't say, minus infinity, and of anything less likely: the number that OpenAI's API uses.
LEAST = -9999.0
_DIGITS = 6


def logprob_of(spelled: bytes, logprob: float, best: Iterable[tuple[bytes, float]]) -> TokenLogprob:
    """Tell of an id by its bytes, its natural logarithm, and those of the likeliest ids at its place."""
    top = [TopLogprob(_text(each), _finite(value), [*each]) for each, value in best]
    return TokenLogprob(_text(spelled), _finite(logprob), [*spelled], top)


def _text(spelled: bytes) -> str:
    return spelled.decode(errors="replace")


def _finite(logprob: float) -> float:
    # A comparison with NaN is false; 0.0 is added so that there is no -0.0.
    return round(logprob, _DIGITS) + 0.0 if logprob > LEAST else LEAST
