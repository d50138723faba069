"""`python -m bench.truth.spread --model PATH`: by how much logits differ between ways to compute one and the same.

In a process of its own, since the BLAS is chosen when a process starts. The next logits of some prompts are computed
alone; then all in one batch; and then from a state that was read in one go where it had been decoded id by id.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from bench.rig.process import ROOT, environment, python
from worker.engine.load.preload import exec_with_fast_blas_if_found

from .engine import Blas, environment_of

if TYPE_CHECKING:
    import mlx.core as mx

    from worker.engine.decode.model import Model

_ROWS, _SHORTEST, _STEP, _DECODED = 8, 16, 5, 8


class Spread(msgspec.Struct, frozen=True):
    """The largest differences between logits of the same ids."""

    batched: float  # in a batch, and alone
    resumed: float  # with the last ids of the state read in one go, and decoded one by one
    largest: float  # logit of all, to compare with


def spread(folder: Path, blas: Blas) -> Spread:
    """Measure a model on a BLAS."""
    command = python("bench.truth.spread", "--model", str(folder))
    env = environment(environment_of(blas))
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Spread)


def _measure(model: "Model", vocabulary: int) -> Spread:
    import mlx.core as mx  # noqa: PLC0415 mlx comes after the choice of BLAS

    from worker.engine.decode.model import KV  # noqa: PLC0415 likewise

    prompts = [
        [(row * 7919 + at * at * 31 + at) % vocabulary for at in range(_SHORTEST + row * _STEP)] for row in range(_ROWS)
    ]

    def read(ids: Sequence[int]) -> KV:
        kv = KV.fresh(model)
        kv.prefill(model, [ids])
        return kv

    def decoded(ids: Sequence[int]) -> KV:
        kv = read(ids[:-_DECODED])
        for token in ids[-_DECODED:]:
            kv.prefill(model, [[token]])
        return kv

    def next_logits(kv: KV, tokens: Sequence[int]) -> "mx.array":
        return kv.forward(model, mx.array([[token] for token in tokens]))[:, -1].astype(mx.float32)

    alone = mx.concatenate([next_logits(read(ids[:-1]), ids[-1:]) for ids in prompts])
    batch = next_logits(KV.merged([read(ids[:-1]) for ids in prompts]), [ids[-1] for ids in prompts])
    gone_on = mx.concatenate([next_logits(decoded(ids[:-1]), ids[-1:]) for ids in prompts])
    return Spread(_size(batch - alone), _size(gone_on - alone), _size(alone))


def _size(values: "mx.array") -> float:
    return cast("float", abs(values).max().item())


def main() -> None:
    """Load on the BLAS that the environment names, measure, and say it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth.spread")
    parser.add_argument("--model", type=Path, required=True)
    flags = parser.parse_args()
    exec_with_fast_blas_if_found(sys.orig_argv)
    from worker.engine.decode.model import vocabulary_of  # noqa: PLC0415 likewise
    from worker.engine.load import load_model  # noqa: PLC0415 likewise

    model = load_model(flags.model, progress=lambda _message, _progress: None).model
    sys.stdout.buffer.write(msgspec.json.encode(_measure(model, vocabulary_of(model))))


if __name__ == "__main__":
    main()
