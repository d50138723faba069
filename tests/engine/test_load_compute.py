"""On a CPU the weights become float32 where memory allows; the note says which path runs and what would be faster."""

from pathlib import Path

import mlx.core as mx
import pytest
from mlx import nn
from mlx_lm.models.switch_layers import SwitchGLU

from worker.engine.load.compute import ADVICE, Compute, cpu_weights, note
from worker.engine.load.floats import dequantize, flat, float32_bytes, widen
from worker.engine.load.memory import available_bytes


def test_float32_is_taken_where_memory_allows() -> None:
    """A fifth of the free memory is left to caches and to others; unknown memory is taken as enough."""
    assert cpu_weights(8_000, 10_000) == "float32"
    assert cpu_weights(8_001, 10_000) == "as on disk"
    assert cpu_weights(8_000, None) == "float32"


def test_the_note_names_the_faster_way() -> None:
    """Who runs on the reference BLAS reads the line that makes it ten times faster; who does not, reads no advice."""
    slow = note(Compute("a CPU", is_cpu=True), "float32")
    fast = note(Compute("a CPU", is_cpu=True, blas="OpenBLAS 0.3.21"), "float32")
    short = note(Compute("a CPU", is_cpu=True, blas="OpenBLAS 0.3.21"), "as on disk")
    gpu = note(Compute("a GPU", is_cpu=False), "as on disk")

    assert slow.startswith("CPU, weights float32, reference BLAS")
    assert ADVICE in slow
    assert fast == "CPU, weights float32, OpenBLAS 0.3.21"
    assert "do not fit the free memory" in short
    assert gpu == "GPU, weights as on disk"


class Mixture(nn.Module):
    """One of each module that can be quantized, and a bare half-float weight as routers have."""

    def __init__(self) -> None:
        """Make it small."""
        super().__init__()
        self.embedding = nn.Embedding(10, 64)
        self.linear = nn.Linear(64, 64)
        self.experts = SwitchGLU(64, 64, 2)
        self.router = mx.ones((2, 64), mx.float16)

    def __call__(self, ids: mx.array) -> mx.array:
        """Compute something that depends on all of them."""
        x = self.linear(self.embedding(ids)) + self.router[0]
        return self.experts(x, mx.array([[0], [1], [0]]))


@pytest.mark.parametrize(("mode", "group_size"), [("affine", 64), ("mxfp4", 32)])
def test_dequantizing_changes_no_answer(mode: str, group_size: int) -> None:
    """Float32 modules in the place of quantized ones compute the same, up to rounding."""
    mx.random.seed(7)
    model = Mixture()
    nn.quantize(model, group_size=group_size, bits=4, mode=mode)
    before = model(mx.array([1, 2, 3]))

    dequantize(model)
    widen(model, matrices=True)

    assert mx.allclose(before, model(mx.array([1, 2, 3])), rtol=1e-3, atol=1e-4).item()
    assert {value.dtype for _, value in flat(model.parameters())} == {mx.float32}


def test_the_size_of_float32_weights_is_known_before() -> None:
    """What a model will take is counted from its quantized form, without computing anything."""
    model = Mixture()
    nn.quantize(model, group_size=64, bits=4)

    counted = float32_bytes(model)

    dequantize(model)
    matrices = [value for _, value in flat(model.parameters()) if value.ndim > 1 and value.dtype == mx.float32]
    assert counted == sum(value.nbytes for value in matrices)


def test_without_room_matrices_stay_as_they_are() -> None:
    """What is quantized stays so, with float32 scales, and a large half-float matrix is not doubled."""
    model = Mixture()
    nn.quantize(model, group_size=64, bits=4)

    widen(model, matrices=False)

    assert model.linear.weight.dtype == mx.uint32
    assert model.linear["scales"].dtype == mx.float32
    assert model.router.dtype == mx.float16


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    """Free memory is the machine's or the container's, whichever is less; files in use can be dropped."""
    (tmp_path / "meminfo").write_text("MemTotal:  9 kB\nMemAvailable:    4000 kB\n")
    (tmp_path / "memory.current").write_text("1500000\n")
    (tmp_path / "memory.stat").write_text("anon 1000000\ninactive_file 500000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    limited = available_bytes(tmp_path, tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = available_bytes(tmp_path, tmp_path)

    assert limited == 2_000_000
    assert unlimited == 4_096_000
    assert available_bytes(tmp_path / "none", tmp_path / "none") is None
