"""`python -m bench.contenders.raw_batch --model PATH`: orders on stdin, carried out by mlx-lm's BatchGenerator.

The weights are loaded as the engine loads them (float32 on a CPU) and the same BLAS is preloaded, so that only what
comes after the loading is compared. Rows share one sampler object, without which the library runs each row apart.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from bench.contenders.completion import messages_of
from bench.load.figures import result_of
from bench.load.orders import Order, Result
from bench.load.recording import Piece, Story
from shared.job import Job, parse_job
from worker.engine.load.preload import exec_with_fast_blas_if_found


class RawBatch:
    """A model, and the library's own loop over it."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer

    def carry_out(self, order: Order) -> Result:
        """Generate for all prompts at once; a token's piece has no text, as nothing is decoded here."""
        asked_ns, used_s = time.monotonic_ns(), time.process_time()
        jobs = [parse_job(body) for body in order.bodies]
        generator = self._generator(jobs[0])
        uids: list[int] = generator.insert([self._ids(job) for job in jobs], [job.max_tokens for job in jobs])
        times: dict[int, list[int]] = {uid: [] for uid in uids}
        running = set(uids)
        while running:
            responses = generator.next()[1]
            now_ns = time.monotonic_ns()
            for response in responses:
                times[response.uid].append(now_ns)
                if response.finish_reason:
                    running.discard(response.uid)
        generator.close()
        spent = {"engine": time.process_time() - used_s}
        return msgspec.structs.replace(result_of([_story(asked_ns, at) for at in times.values()]), cpu_s=spent)

    def _ids(self, job: Job) -> list[int]:
        return list(self._tokenizer.apply_chat_template(messages_of(job), add_generation_prompt=True))

    def _generator(self, job: Job) -> Any:
        from mlx_lm.generate import BatchGenerator  # noqa: PLC0415 mlx comes after the choice of BLAS

        ends = [[end] for end in self._tokenizer.eos_token_ids]
        return BatchGenerator(self._model, stop_tokens=ends, sampler=_sampler(job), logits_processors=_processors(job))


def _sampler(job: Job) -> Callable[[Any], Any]:
    from mlx_lm.sample_utils import make_sampler  # noqa: PLC0415 likewise

    return make_sampler(temp=job.temperature, top_p=job.top_p, min_p=job.min_p, top_k=job.top_k)


def _processors(job: Job) -> list[Any]:
    from mlx_lm.sample_utils import make_logits_processors  # noqa: PLC0415 likewise

    if job.repeat_penalty == 1:
        return []
    return make_logits_processors(repetition_penalty=job.repeat_penalty, repetition_context_size=job.repeat_last_n)


def _story(asked_ns: int, at: list[int]) -> Story:
    return Story(asked_ns, at[-1], len(at), [Piece(at_ns, "") for at_ns in at], len(at))


def main() -> None:
    """Load, then carry out orders until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.contenders.raw_batch")
    parser.add_argument("--model", type=Path, required=True)
    flags = parser.parse_args()
    exec_with_fast_blas_if_found(sys.orig_argv)
    from worker.engine.load import load_model  # noqa: PLC0415 likewise

    loaded = load_model(flags.model, progress=lambda _message, _progress: None)
    print(loaded.note, file=sys.stderr, flush=True)
    raw = RawBatch(loaded.model, loaded.tokenizer)
    orders = msgspec.json.Decoder(Order)
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(raw.carry_out(orders.decode(line))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
