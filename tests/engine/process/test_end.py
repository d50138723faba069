"""How the process ends, and that it never lives on half dead."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from worker.engine.wire import Cancel, Error, Generate, Loading, Stop, Token, decode_reply, encode_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Engine

PATIENCE_S = 60
# An agent that starts an engine on its own stdin and stdout.
AGENT = """
import subprocess, sys
subprocess.run([sys.executable, "-m", "worker.engine", "--model", sys.argv[1]])
"""
ENDLESS = Generate(id="x", prompt="x", seed=1, max_tokens=8_000)


def start(command: list[str], stdin: int) -> Any:
    """Start a process whose pipes the test holds itself."""
    return subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, env=os.environ | {"MLX_POOL_BLAS": "reference"}
    )


def test_an_agents_end_ends_the_engine_in_the_middle_of_a_generation(start_engine: Callable[..., Engine]) -> None:
    """A restarted worker finds no second model beside its own."""
    engine = start_engine()
    engine.hear_ready()
    engine.write(ENDLESS)
    engine.hear_until(lambda reply: isinstance(reply, Token))

    engine.hang_up()

    assert engine.wait() == 0


def test_an_agent_that_dies_while_the_model_loads_leaves_no_engine(start_engine: Callable[..., Engine]) -> None:
    """Nothing was asked yet, so nobody waits for an answer."""
    engine = start_engine()
    assert isinstance(decode_reply(engine.hear()), Loading)

    engine.hang_up()

    assert engine.wait() == 0


def test_stop_ends_the_engine_without_finishing(start_engine: Callable[..., Engine]) -> None:
    """Exit code 0, although stdin stays open."""
    engine = start_engine()
    engine.hear_ready()

    engine.write(ENDLESS, Stop())

    assert engine.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_an_engine_dies_with_its_agent_also_when_another_holds_its_stdin(tiny_model: Path) -> None:
    """A third process that inherited the pipe's end keeps no orphan alive."""
    reader, writer = os.pipe()
    agent = start([sys.executable, "-c", AGENT, str(tiny_model)], stdin=reader)
    os.write(writer, encode_line(ENDLESS))
    while b'"token"' not in agent.stdout.readline():
        assert agent.poll() is None

    agent.kill()
    agent.wait()

    # EOF comes only when the last process that holds the other end is gone.
    assert agent.stdout.read() is not None
    os.close(reader)
    os.close(writer)
    agent.stdout.close()


def test_a_reader_that_is_gone_ends_the_engine(tiny_model: Path) -> None:
    """Nobody is left to say anything to; that is no fault of the engine."""
    process = start([sys.executable, "-m", "worker.engine", "--model", str(tiny_model)], stdin=subprocess.PIPE)
    process.stdin.write(encode_line(ENDLESS))
    process.stdin.flush()

    process.stdout.close()

    assert process.wait(PATIENCE_S) == 0
    process.stdin.close()


def test_an_engine_that_can_hear_nobody_ends(tiny_model: Path) -> None:
    """It would hold its memory for ever, and say that it is well."""
    deaf = os.open("/", os.O_RDONLY)

    process = start([sys.executable, "-m", "worker.engine", "--model", str(tiny_model)], stdin=deaf)

    assert process.wait(PATIENCE_S) == 1
    process.stdout.close()
    os.close(deaf)


def test_a_missing_model_is_one_line_and_exit_code_2(start_engine: Callable[..., Engine], tmp_path: Path) -> None:
    """On the pipe for the agent, and as stderr's last line for people."""
    engine = start_engine(model=tmp_path / "nothing")

    error = engine.hear_until(lambda reply: isinstance(reply, Error))[-1]

    assert engine.wait() == 2
    assert isinstance(error, Error)
    assert error.message == engine.errors().splitlines()[-1]
    assert "nothing" in error.message


@pytest.mark.parametrize("flags", [["--slots", "0"], ["--context", "x"], ["--prefill-step", "-5"], ["--sing"]])
def test_a_wrong_flag_is_usage(start_engine: Callable[..., Engine], flags: list[str]) -> None:
    """Exit code 2, before anything is loaded."""
    engine = start_engine(*flags)

    assert engine.wait() == 2
    assert flags[0].strip("-") in engine.errors()


def test_what_libraries_print_does_not_reach_the_pipe(start_engine: Callable[..., Engine], tmp_path: Path) -> None:
    """Stdout is moved away before any of them is imported."""
    (tmp_path / "mlx_lm.py").write_text("import os, sys; print('noise'); os.write(1, b'more noise'); sys.exit('gone')")

    engine = start_engine(env={"PYTHONPATH": str(tmp_path)})
    said = [decode_reply(line) for line in iter(engine.hear, b"")]

    assert all(isinstance(reply, Loading) for reply in said)
    assert "noise" in engine.errors()


def test_an_exception_ends_the_process_with_a_last_line_that_says_which(
    start_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """A half-dead engine is the worst state; the agent starts another one."""
    (tmp_path / "mlx_lm.py").write_text("raise RuntimeError('no such kernel')")

    engine = start_engine(env={"PYTHONPATH": str(tmp_path)})

    assert engine.wait() == 1
    assert engine.errors().splitlines()[-1] == "engine failed: RuntimeError: no such kernel"


def test_cancelling_nothing_is_nothing(engine: Engine) -> None:
    """An agent may cancel what has just ended."""
    engine.write(Cancel(id="long gone"))

    assert engine.ask(Generate(prompt="x", max_tokens=1))[0].done.reason == "length"
