"""vllm-mlx, in an environment of its own: it wants another mlx-lm than we do.

It answers one request at a time unless told `--continuous-batching`. Then it looks for new requests at each step, and
has one sampler for the batch. It leaves `top_k` out, and looks at 20 tokens for the penalty where we look at 64, so it
computes less at `/chat`'s default sampling. Prompts' caches it keeps in memory, and writes them under the home folder
when it ends: so it gets another home, and no more of them than are soon written.
"""

import contextlib
import importlib.metadata
import sys
from collections.abc import Generator
from pathlib import Path

from bench.rig.pool import HOST, free_port

from .completion import MODEL
from .contender import Setting
from .own_environment import Needs, programs_of
from .peer import PeerContender, serving

_CUDA = "mlx-cuda-13"


@contextlib.contextmanager
def start(folder: Path, setting: Setting) -> Generator[PeerContender]:
    """Run it in the block, with as many seats as the pool."""
    port, slots = free_port(), str(setting.slots)
    home = folder / "home"
    home.mkdir()
    command = [
        *("env", f"HOME={home}", str(programs_of(_needs()) / "vllm-mlx"), "serve", setting.peers_model, "--offline"),
        *("--served-model-name", MODEL, "--host", HOST, "--port", str(port)),
        *("--continuous-batching", "--max-num-seqs", slots, "--completion-batch-size", slots),
        *("--prefill-batch-size", slots, "--cache-memory-mb", "512"),
    ]
    with serving("vllm-mlx", command, port, folder) as contender:
        yield contender


def _needs() -> Needs:
    """Its packages and the very MLX that we run on. Serving text imports none of those left out: 4 GB on Linux."""
    return Needs(
        name="vllm-mlx",
        packages=("vllm-mlx==0.6.0", f"mlx{_build()}=={importlib.metadata.version('mlx')}"),
        left_out=("torch", "torchvision", "gradio", "opencv-python"),
        as_of="2026-11-21T00:00:00Z",
    )


def _build() -> str:
    if sys.platform != "linux":
        return ""
    try:
        importlib.metadata.version(_CUDA)
    except importlib.metadata.PackageNotFoundError:
        return "[cpu]"
    return "[cuda13]"
