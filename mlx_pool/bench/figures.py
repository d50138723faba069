"""From measured requests to the figures of a run, and how they look. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from mlx_pool.terminal import clean

from .sample import Sample

_BAR: Final = 40
_MOST_ROWS: Final = 12
_LEAST_MS: Final = 0.2  # what comes sooner came together; in a histogram it all counts as this much


class Spread(msgspec.Struct, frozen=True):
    """Ranks of some times, in ms: each is one that was measured."""

    p50: float
    p90: float
    p99: float
    most: float


class Bucket(msgspec.Struct, frozen=True):
    """How many times were below a bound, in ms, and not below the one before."""

    below_ms: float
    count: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `stream_tokens_per_second` is that of the median request, from its first token on."""

    requests: int
    done: int
    failed: dict[str, int]
    seconds: float
    tokens: int
    tokens_per_second: float
    stream_tokens_per_second: float
    prompt_tokens: int
    cached_tokens: int
    first_ms: Spread | None
    gap_ms: Spread | None
    total_ms: Spread | None
    first: list[Bucket]
    gaps: list[Bucket]


def figures_of(samples: Sequence[Sample], *, seconds: float) -> Figures:
    """Put all requests of a run into figures; what failed counts in no time."""
    done = [sample for sample in samples if sample.failed is None]
    firsts = [sample.first_ms for sample in done if sample.first_ms is not None]
    gaps = [gap for sample in done for gap in sample.gaps_ms]
    tokens = sum(sample.tokens for sample in done)
    pace = spread(_paces(done))
    return Figures(
        requests=len(samples),
        done=len(done),
        failed=dict(Counter(sample.failed for sample in samples if sample.failed is not None).most_common()),
        seconds=round(seconds, 3),
        tokens=tokens,
        tokens_per_second=round(tokens / seconds, 1) if seconds > 0 else 0.0,
        stream_tokens_per_second=pace.p50 if pace else 0.0,
        prompt_tokens=sum(sample.prompt_tokens for sample in done),
        cached_tokens=sum(sample.cached_tokens for sample in done),
        first_ms=spread(firsts),
        gap_ms=spread(gaps),
        total_ms=spread(sample.total_ms for sample in done),
        first=histogram(firsts),
        gaps=histogram(gaps),
    )


def _paces(samples: Iterable[Sample]) -> list[float]:
    """Tokens a second of each request, once its first had come."""
    timed = ((sample.tokens - 1, sample.total_ms - (sample.first_ms or 0.0)) for sample in samples if sample.first_ms)
    return [tokens / took_ms * 1_000 for tokens, took_ms in timed if tokens > 0 and took_ms > 0]


def spread(values: Iterable[float]) -> Spread | None:
    """Rank the values; None where there is none."""
    ranked = sorted(values)
    if not ranked:
        return None
    at = [ranked[math.ceil(len(ranked) * share) - 1] for share in (0.5, 0.9, 0.99, 1.0)]
    return Spread(*(round(value, 2) for value in at))


def histogram(values: Sequence[float]) -> list[Bucket]:
    """Count the values between bounds, each twice the one before, or a higher power of two where those were many."""
    if max(values, default=0.0) <= 0:
        return []
    seen = [max(value, _LEAST_MS) for value in values]
    least, most, step = min(seen), max(seen), 1
    while math.log2(most / least) / step > _MOST_ROWS - 2:
        step += 1
    places = [math.floor(math.log2(value) / step) + 1 for value in seen]
    counts = Counter(places)
    return [Bucket(2.0 ** (place * step), counts[place]) for place in range(min(places), max(places) + 1)]


def as_lines(figures: Figures) -> str:
    """Draw them for a person."""
    share = figures.cached_tokens / figures.prompt_tokens if figures.prompt_tokens else 0.0
    lines = [
        f"{figures.done} of {figures.requests} requests done in {figures.seconds:.1f} s",
        *(f"  failed: {count} {clean(why)}" for why, count in figures.failed.items()),
        f"tokens       {figures.tokens}, {figures.tokens_per_second:.1f} a second in all",
        f"one stream   {figures.stream_tokens_per_second:.1f} tokens a second, the median one",
        f"prompts      {figures.prompt_tokens} tokens, {share:.0%} of them cached",
        f"first token  {_told(figures.first_ms)}",
        f"gap          {_told(figures.gap_ms)}",
        f"whole        {_told(figures.total_ms)}",
    ]
    for title, buckets in (("first token", figures.first), ("gap between deliveries", figures.gaps)):
        if buckets:
            lines += ["", f"{title}, ms", *_bars(buckets)]
    return "\n".join(lines) + "\n"


def _told(spread_ms: Spread | None) -> str:
    if spread_ms is None:
        return "-"
    ranks = (("median", spread_ms.p50), ("p90", spread_ms.p90), ("p99", spread_ms.p99), ("most", spread_ms.most))
    return "  ".join(f"{name} {value:.1f} ms" for name, value in ranks)


def _bars(buckets: Sequence[Bucket]) -> list[str]:
    highest = max(bucket.count for bucket in buckets)
    return [
        f"  < {bucket.below_ms:>10,.4g}  {'█' * math.ceil(bucket.count / highest * _BAR):<{_BAR}} {bucket.count}"
        for bucket in buckets
    ]
