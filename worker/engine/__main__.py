"""`python -m worker.engine --model PATH`: one model behind one pipe.

    echo '{"prompt":"안녕하세요","max_tokens":64}' | python -m worker.engine --model PATH

Exit codes: 0 the peer has left or said so, 1 a fault of ours (the last line on stderr says which), 2 usage.
"""

import argparse
import gc
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import PoolError, Refused

from .load.preload import exec_with_fast_blas_if_found
from .pipe import Pipe
from .wire import Error, Loading, Ready

if TYPE_CHECKING:
    from .grammar.compiler import Compiler
    from .load.model import Loaded
    from .loop import Loop
    from .text.tokenizer import Tokenizer

_DEFAULT_SLOTS = 16
_DEFAULT_PREFILL_STEP = 512
_MIB = 1 << 20
_GIB = 1 << 30


def main(argv: Sequence[str]) -> int:
    """Load, say ready, and serve until the peer leaves."""
    flags = _read_flags(argv)
    # Before mlx is imported, and before stdout is moved: the process may start anew with another BLAS.
    exec_with_fast_blas_if_found(sys.orig_argv)
    pipe = Pipe.open()
    pipe.listen()
    try:
        loop = _loaded(flags, pipe)
    except PoolError as error:
        pipe.say(Error(code=error.code, message=error.message, param=error.param))
        pipe.flush()
        sys.stderr.write(f"{error.message}\n")
        return 2 if isinstance(error, Refused) else 1
    loop.run()
    return 0


def _loaded(flags: argparse.Namespace, pipe: Pipe) -> "Loop":
    """Load the model and say ready."""

    def tell(message: str, progress: float | None) -> None:
        pipe.say(Loading(message=message, progress=progress))
        pipe.flush()

    tell("starting", None)
    # Here and not above: they bring mlx, after the choice of BLAS and the first line.
    from .decode.decoder import Decoder  # noqa: PLC0415
    from .decode.device import limit_memory  # noqa: PLC0415
    from .decode.gauge import Gauge  # noqa: PLC0415
    from .generation import Window  # noqa: PLC0415
    from .load import load_model  # noqa: PLC0415
    from .loop import Loop  # noqa: PLC0415
    from .reception import Reception  # noqa: PLC0415
    from .text.tokenizer import Tokenizer  # noqa: PLC0415

    gauge = Gauge(flags.memory_limit_gb)
    limit_memory(gauge.limit_bytes, wired_bytes=flags.wired_limit_gb)
    loaded = load_model(
        flags.model,
        adapter=flags.adapter,
        memory_limit_bytes=gauge.limit_bytes,
        context_cap_tokens=flags.context,
        progress=tell,
    )
    tokenizer = Tokenizer(loaded.tokenizer)
    decoder = Decoder(
        loaded.model,
        ends=tokenizer.ends,
        slots=flags.slots,
        prefill_step=flags.prefill_step,
        cache_bytes=None if flags.prompt_cache_mb is None else flags.prompt_cache_mb * _MIB,
        gauge=gauge,
        may_guess=not flags.no_guesses,
    )
    compiler = _compiler(tokenizer, decoder.vocabulary, pipe)
    tell("warming up", None)
    decoder.warm_up()
    compiler.settle()
    gc.freeze()  # what was loaded stays: a full collection need not walk it in the middle of a stream
    pipe.say(_ready(loaded, slots=decoder.slots))
    pipe.flush()
    window = Window(loaded.context_tokens, decoder.vocabulary)
    return Loop(pipe, Reception(tokenizer, window, compiler, wants_boundaries=decoder.wants_boundaries), decoder)


def _compiler(tokenizer: "Tokenizer", vocabulary: int, pipe: Pipe) -> "Compiler":
    """Begin the grammars' vocabulary, which another thread makes meanwhile."""
    from .grammar.compiler import Compiler  # noqa: PLC0415
    from .grammar.library import Vocabulary  # noqa: PLC0415

    serialised = tokenizer.serialised()
    return Compiler(
        lambda: Vocabulary(serialised, size=vocabulary, ends=tokenizer.ends, known=tokenizer.size), told=pipe.wake
    )


def _ready(loaded: "Loaded", *, slots: int) -> Ready:
    return Ready(
        model=loaded.name,
        slots=slots,
        context_tokens=loaded.context_tokens,
        fingerprint=loaded.fingerprint,
        device=loaded.device,
        note=loaded.note,
    )


def _read_flags(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.engine", description="Run one model behind JSON lines on stdin and stdout."
    )
    parser.add_argument("--model", required=True, type=Path, help="the model's folder")
    parser.add_argument("--adapter", type=Path, help="the folder of a LoRA adapter for this model")
    parser.add_argument(
        "--slots", type=_positive, default=_DEFAULT_SLOTS, help="how many generations at once (%(default)s)"
    )
    parser.add_argument(
        "--context", type=_positive, help="the most tokens of prompt and completion (the model's, up to 32,768)"
    )
    parser.add_argument(
        "--prefill-step",
        type=_positive,
        default=_DEFAULT_PREFILL_STEP,
        help="the most prompt tokens that running streams wait for (%(default)s); fewer where that takes long",
    )
    parser.add_argument(
        "--prompt-cache-mb",
        type=_natural,
        help="the most MiB of state to keep for prompts that go on from it; 0: none (a quarter of what is free)",
    )
    parser.add_argument(
        "--memory-limit-gb",
        type=_gigabytes,
        metavar="GIB",
        help="the memory that the engine may have (what the device has); above 85 %% of it nobody joins others, above "
        "95 %% requests are handed back",
    )
    parser.add_argument(
        "--no-guesses",
        action="store_true",
        help="never let a lone request guess at its next tokens; its answer is the same either way",
    )
    parser.add_argument(
        "--wired-limit-gb",
        type=_gigabytes,
        metavar="GIB",
        help="macOS: memory that is never paged out, for a model nearly as large as RAM. Off unless given: under load "
        "it has panicked the kernel",
    )
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    if (value := _natural(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def _gigabytes(text: str) -> int:
    """Read GiB, with decimals, as bytes."""
    try:
        size = int(float(text) * _GIB)
    except (ValueError, OverflowError):
        size = 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of GiB above 0")
    return size


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except BrokenPipeError:
        code = 0  # the peer has left without closing our stdin
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # noqa: BLE001 the border of the process: a half-dead engine is the worst state
        traceback.print_exc()
        sys.stderr.write(f"engine failed: {type(error).__name__}: {error}\n")
        code = 1
    sys.stderr.flush()
    # Not sys.exit: the reader thread sits in a read that nothing ends, and MLX's threads need no farewell.
    os._exit(code)
