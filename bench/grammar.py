"""What a grammar costs: decode steps of sixteen rows, free and held to a JSON schema, in one process and in turns.

    uv run python -m bench.grammar --model tiny --steps 100

Each figure is the least of all rounds. Most of a small model's step is the sampler, so there it costs the most.
"""

import argparse
import dataclasses
import tempfile
import threading
import time
from pathlib import Path

from shared.grammar import Form, JsonSchema, Schema
from worker.engine.decode.decoder import Decoder
from worker.engine.decode.row import Row
from worker.engine.decode.settings import Settings
from worker.engine.grammar.compiler import Compiler
from worker.engine.grammar.guide import Guide
from worker.engine.grammar.library import Vocabulary
from worker.engine.load import load_model
from worker.engine.load.preload import exec_with_fast_blas_if_found
from worker.engine.text.tokenizer import Tokenizer

from .decoding import read_all
from .models import folder_of

ROWS = 16
SAMPLED = Settings(temperature=0.7, top_k=40, top_p=0.95, repeat_penalty=1.1)
# Long enough that no row ends on the way.
PEOPLE: dict[str, object] = {
    "type": "array",
    "minItems": 1_000,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 40}, "age": {"type": "integer", "maximum": 150}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
}


class Bench:
    """A model with sixteen rows to decode."""

    def __init__(self, folder: Path) -> None:
        loaded = load_model(folder, progress=lambda _message, _done: None)
        tokenizer = Tokenizer(loaded.tokenizer)
        self.decoder = Decoder(loaded.model, ends=tokenizer.ends, slots=ROWS, prefill_step=512)
        self.decoder.warm_up()
        serialised = tokenizer.serialised()
        self._told = threading.Event()
        self._compiler = Compiler(
            lambda: Vocabulary(serialised, size=self.decoder.vocabulary, ends=tokenizer.ends), told=self._told.set
        )
        self._compiler.settle()
        self._keys = 0

    def guide(self, form: Form) -> Guide:
        """A fresh guide."""
        while (matcher := self._compiler.matcher(form)) is None:
            self._told.wait()
        return Guide(matcher, field="", free=self._compiler.free_words(), thinking=None)

    def step_ms(self, form: Form | None, steps: int) -> float:
        """How long a step of all rows takes in the mean, from their first ids on."""
        rows = [self._row(form, steps) for _ in range(ROWS)]
        for row in rows:
            self.decoder.add(row)
        read_all(self.decoder)
        self.decoder.decode()
        started = time.perf_counter()
        for _ in range(steps):
            self.decoder.decode()
        took_s = time.perf_counter() - started
        self.decoder.drop({row.key for row in rows})
        return took_s / steps * 1_000

    def _row(self, form: Form | None, steps: int) -> Row:
        self._keys += 1
        settings = dataclasses.replace(SAMPLED, seed=self._keys)
        guide = self.guide(form) if form else None
        return Row(key=self._keys, ids=[1, 5, 9], drawn=0, limit=steps + 2, settings=settings, guide=guide)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    flags = parser.parse_args()
    form = JsonSchema(Schema(name="people", schema=PEOPLE))
    with tempfile.TemporaryDirectory() as made:
        bench = Bench(folder_of(flags.model, Path(made)))
    rounds = [(bench.step_ms(None, flags.steps), bench.step_ms(form, flags.steps)) for _ in range(flags.rounds)]
    free, held = (min(times) for times in zip(*rounds, strict=True))
    print(f"{flags.model}, {ROWS} rows: free {free:.2f} ms a step, held to a schema {held:.2f} ms, {held / free:.2f} x")


if __name__ == "__main__":
    import sys

    exec_with_fast_blas_if_found(sys.orig_argv)
    main()
