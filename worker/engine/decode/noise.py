"""Random draws that depend on nothing but the seed, the position in the completion, and the token's id.

So a row draws the same alone and in any batch, and an attempt that resumes at position k draws what the first one would
have drawn. Noise belongs to ids, not to ranks: two candidates that change places by a rounding error keep theirs.
"""

import math

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LARGEST = (127 + 32) << 23  # the bits of 2^32 in float32
_NATS_PER_BIT = math.log(2) / 2**23


def fold(seeds: NDArray[np.uint64], positions: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Mix seed and position into a key of two words a row, shape [rows, 2]; both mixes are SplitMix64's finalizer."""
    key = _mix64(_mix64(seeds) + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    return np.stack([key.astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)], axis=1)


def gumbel(keys: mx.array, ids: mx.array) -> mx.array:
    """Standard Gumbel noise for each id: keys [rows, 2] uint32, ids [rows or 1, n]; float32 [rows, n].

    The largest of logit + noise is a draw from softmax(logit): https://doi.org/10.1214/aoms/1177729330 (Gumbel-max).
    """
    # log1p keeps the digits near 0, where the large, the deciding, noise comes from.
    uniform = mx.minimum((_bits(keys, ids).astype(mx.float32) + 0.5) * 2.0**-32, 1 - 2.0**-24)
    return -mx.log(-mx.log1p(-uniform))


def gumbel_bound(keys: mx.array, ids: mx.array) -> mx.array:
    """An upper bound of `gumbel`, close where the noise is large, at a fraction of the cost of two logarithms.

    -ln(-ln(1 - u)) <= -ln(u), and the bits of a float32 read as an integer are its log2, drawn with straight lines from
    below: too small by less than 0.09, in units of ln by less than 0.06.
    """
    exponents = _bits(keys, ids).astype(mx.float32).view(mx.int32)
    return (_LARGEST - exponents).astype(mx.float32) * _NATS_PER_BIT


def _bits(keys: mx.array, ids: mx.array) -> mx.array:
    """32 random bits for each id: two keyed rounds of MurmurHash3's finalizer, the second without its last step."""
    word = (ids.astype(mx.uint32) * 0x9E3779B1) ^ keys[:, :1]
    word = (word ^ (word >> 16)) * 0x85EBCA6B
    word = (word ^ (word >> 13)) * 0xC2B2AE35
    word = (word ^ (word >> 16) ^ keys[:, 1:]) * 0x85EBCA6B
    return (word ^ (word >> 13)) * 0xC2B2AE35


def _mix64(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
