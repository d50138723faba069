"""The scripted engine as a process: what its peer sees on the pipe, and when it ends."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec
import pytest

from worker.engine.scripted.faults import GARBAGE
from worker.engine.scripted.oracle import expected
from worker.engine.wire import (
    AnyReply,
    Cancel,
    Done,
    Error,
    Generate,
    Hold,
    Loading,
    Ready,
    Request,
    Stats,
    Stop,
    Token,
    decode_reply,
    encode_line,
)

COMMAND = [sys.executable, "-m", "worker.engine.scripted"]


class Engine:
    """A process and its three pipes."""

    def __init__(self, *flags: str) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*COMMAND, *flags], stdin=pipe, stdout=pipe, stderr=pipe)
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def say(self, *requests: Request | bytes) -> None:
        """Write requests, or raw lines, at once."""
        lines = [one if isinstance(one, bytes) else encode_line(one) for one in requests]
        self.stdin.write(b"".join(lines))
        self.stdin.flush()

    def hear(self, until: Callable[[AnyReply], bool]) -> list[AnyReply]:
        """Read replies up to one that fits, or to the end."""
        replies: list[AnyReply] = []
        for line in self.stdout:
            replies.append(decode_reply(line))
            if until(replies[-1]):
                break
        return replies

    def hear_ready(self) -> Ready:
        """Read up to `ready`."""
        ready = self.hear(lambda reply: isinstance(reply, Ready))[-1]
        assert isinstance(ready, Ready)
        return ready


Start = Callable[..., Engine]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start engines that end with the test."""
    engines: list[Engine] = []

    def one(*flags: str) -> Engine:
        engines.append(Engine(*flags))
        return engines[-1]

    yield one
    for engine in engines:
        with engine.process:
            engine.process.kill()


def is_done(reply: AnyReply) -> bool:
    return isinstance(reply, Done)


def test_it_loads_then_is_ready(start: Start) -> None:
    """Loading tells of its progress, and `ready` names what the flags asked for."""
    engine = start("--load-ms", "50", "--slots", "3", "--context-tokens", "99", "--model", "m")

    said = engine.hear(lambda reply: isinstance(reply, Ready))

    progress = [reply.progress for reply in said if isinstance(reply, Loading)]
    assert progress == [part / 10 for part in range(10)]
    assert isinstance(ready := said[-1], Ready)
    assert (ready.model, ready.slots, ready.context_tokens) == ("m", 3, 99)


def test_the_pipe_carries_what_the_oracle_foretells(start: Start) -> None:
    """Generations written in one piece come back interleaved, each whole."""
    engine = start("--step-ms", "0", "--slots", "4")
    asks = [Generate(id=f"j/1/{n}", prompt=f"글 {n}", seed=n, max_tokens=50) for n in range(8)]
    engine.say(*asks)

    said = [reply for _ in asks for reply in engine.hear(is_done)]

    for ask in asks:
        mine = [reply for reply in said if isinstance(reply, Token) and reply.id == ask.id]
        text, ids, _, _ = expected(ask, ask.seed or 0)
        assert "".join(reply.content for reply in mine) == text
        assert [token for reply in mine for token in reply.tokens] == ids


def test_a_hand_built_line_is_what_the_encoder_writes(start: Start) -> None:
    """The token lines that are put together from ready parts equal the contract's encoding, byte for byte."""
    engine = start("--step-ms", "0")
    engine.say(Generate(id='odd "id"\u2028', prompt="a", max_tokens=2_000), Generate(prompt="a", max_tokens=50))

    lines: list[bytes] = []
    while len(lines) < 2_050:
        lines += [line for line in [engine.stdout.readline()] if b'"token"' in line]

    assert [encode_line(decode_reply(line)) for line in lines] == lines


def test_a_step_is_one_write(start: Start) -> None:
    """All rows' lines of a step come in one piece: what is read at once holds whole steps, a token of each row."""
    engine = start("--slots", "8", "--step-ms", "30")
    engine.hear_ready()
    engine.say(*(Generate(id=str(n), prompt="a", max_tokens=12) for n in range(8)))

    chunks = [b""]
    while b'"status":"done"' not in chunks[-1]:
        chunks.append(os.read(engine.stdout.fileno(), 1 << 16))

    tokens = [Counter(json.loads(line)["id"] for line in each.splitlines() if b'"token"' in line) for each in chunks]
    assert all(len(rows) in {0, 8} and len(set(rows.values())) <= 1 for rows in tokens)
    assert sum(tokens, Counter[str]()) == dict.fromkeys("01234567", 12)


def test_steps_keep_their_pace(start: Start) -> None:
    """A hundred steps take a hundred times the step's length, not the sum of a hundred late wake-ups."""
    engine = start("--step-ms", "10")
    engine.hear_ready()
    began = time.monotonic()
    engine.say(Generate(id="0", prompt="a", max_tokens=100))

    engine.hear(is_done)

    assert 0.99 <= time.monotonic() - began <= 1.5


def test_stats_come_each_second_also_when_idle(start: Start) -> None:
    """The sign that the loop turns goes to a peer that speaks `op`, with nothing to do as well."""
    engine = start("--slots", "5")
    engine.say(Cancel(id=""))

    first, second = (engine.hear(lambda reply: isinstance(reply, Stats))[-1] for _ in range(2))

    assert isinstance(first, Stats)
    assert isinstance(second, Stats)
    assert (first.slots, first.busy, second.busy) == (5, 0, 0)


def test_a_prompt_by_hand_is_answered_in_the_original_words(start: Start) -> None:
    """Without `op` the peer hears loading, ready, token and done, is answered fully, and an EOF ends the engine."""
    engine = start("--step-ms", "0")
    asks = [{"prompt": "안녕하세요", "max_tokens": 30}, {"id": "b", "prompt": "또", "max_tokens": 30}]

    output, _ = engine.process.communicate("\n".join(map(json.dumps, asks)).encode())

    said = [json.loads(line) for line in output.splitlines()]
    words = [line["status"] for line in said if line["status"] != "token"]
    assert words == ["loading", "ready", "done", "done"]
    first = said[: next(at for at, line in enumerate(said) if line["status"] == "done")]
    tokens = [line for line in first if line["status"] == "token"]
    assert all(set(line) == {"status", "content"} for line in tokens)
    assert "".join(line["content"] for line in tokens) == expected(Generate(prompt="안녕하세요", max_tokens=30)).text
    assert said[-1]["id"] == "b"
    assert engine.process.returncode == 0


@pytest.mark.parametrize("flags", [(), ("--load-ms", "60000"), ("--fault", "hang@3")])
def test_an_eof_ends_the_engine_of_an_agent_at_once(start: Start, flags: tuple[str, ...]) -> None:
    """Once its peer spoke `op`, the end of input ends the process: loading, generating or wedged."""
    engine = start(*flags)
    engine.say(Generate(id="0", prompt="a", max_tokens=8_000))
    engine.hear(lambda reply: isinstance(reply, Loading if "--load-ms" in flags else Token))

    engine.stdin.close()

    assert engine.process.wait(5) == 0


def test_an_eof_before_any_line_ends_it_at_once(start: Start) -> None:
    """A peer that left while the engine loads, having said nothing, leaves nothing to load for."""
    engine = start("--load-ms", "60000")

    engine.stdin.close()

    assert engine.process.wait(5) == 0


def test_held_it_computes_nothing_but_listens(start: Start) -> None:
    """Its loop turns and says so; what was cancelled meanwhile is gone, and the rest goes on where it was."""
    ask = Generate(id="0", prompt="a", max_tokens=500)
    engine = start("--step-ms", "1")
    engine.say(ask, msgspec.structs.replace(ask, id="1"))
    engine.hear(lambda reply: isinstance(reply, Token))

    engine.say(Hold(for_ms=60_000), Cancel(id="1"), b"?\n")
    engine.hear(lambda reply: isinstance(reply, Error))
    still = engine.hear(lambda reply: isinstance(reply, Stats))
    engine.say(Hold(for_ms=0))

    assert [type(reply) for reply in still] == [Stats]
    said = engine.hear(is_done)
    assert {reply.id for reply in said if isinstance(reply, (Token, Done))} == {"0"}


def test_a_hold_ends_by_itself(start: Start) -> None:
    """An engine whose agent forgot it does not wait for ever."""
    engine = start()
    engine.say(Hold(for_ms=100), Generate(id="0", prompt="a", max_tokens=5))

    assert is_done(engine.hear(is_done)[-1])


def test_stop_ends_it_in_the_middle(start: Start) -> None:
    """`stop` finishes nothing."""
    engine = start()
    engine.say(Generate(id="0", prompt="a", max_tokens=8_000), Stop())

    said = engine.hear(is_done)

    assert engine.process.wait(5) == 0
    assert not any(map(is_done, said))


@pytest.mark.parametrize(
    ("line", "request_id", "code", "param"),
    [
        (b"nonsense\n", "", "invalid_json", None),
        (b'{"op":"generate","id":"a","prompt":"\xff"}\n', "a", "invalid_json", None),
        (b'{"op":"generate","id":"a","prompt":"x","top_p":7}\n', "a", "invalid_value", "top_p"),
        (b'{"op":"generate","id":"a","prompt":"x","colour":7}\n', "a", "unknown_field", "colour"),
        (b'{"op":"dance","id":"a"}\n', "a", "invalid_value", "op"),
    ],
)
def test_a_broken_line_is_answered_and_the_engine_goes_on(
    start: Start, line: bytes, request_id: str, code: str, param: str | None
) -> None:
    """A line that is no request costs one error with its id and the field; the next one is served."""
    engine = start("--step-ms", "0")
    engine.say(line, Generate(id="next", prompt="a", max_tokens=3))

    said = engine.hear(is_done)

    errors = [(reply.id, reply.code, reply.param) for reply in said if isinstance(reply, Error)]
    assert errors == [(request_id, code, param)]
    assert is_done(said[-1])


def test_flags_that_cannot_be_served_end_with_code_2(start: Start) -> None:
    """A usage error is one `error` line that names the flag."""
    engine = start("--slots", "none")

    said = engine.hear(is_done)

    assert engine.process.wait(5) == 2
    assert isinstance(error := said[-1], Error)
    assert "--slots" in error.message


@pytest.mark.parametrize(("fault", "code"), [("crash", 1), ("oom", -6)])
@pytest.mark.parametrize("place", ["flag", "prompt"])
def test_it_dies_as_told(start: Start, fault: str, code: int, place: str) -> None:
    """A fault strikes before the n-th step or id: what came before it is said, and nothing after."""
    engine = start(*(["--fault", f"{fault}@4"] if place == "flag" else []))
    engine.say(Generate(id="0", prompt=f"a [[{fault}@4]]" if place == "prompt" else "a"))

    said = engine.hear(is_done)

    assert sum(isinstance(reply, Token) for reply in said) == 3
    assert engine.process.wait(5) == code
    assert engine.process.stderr
    assert engine.process.stderr.read().strip()


def test_garbage_stands_between_two_lines(start: Start) -> None:
    """Told to, the engine writes a line that is no JSON and goes on."""
    engine = start("--step-ms", "0")
    engine.say(Generate(id="0", prompt="a [[garbage@2]]", max_tokens=3))

    lines = [engine.stdout.readline() for _ in range(9)]

    assert lines.count(GARBAGE) == 1
    assert b'"done"' in lines[-1]


def test_a_print_does_not_reach_the_pipe() -> None:
    """What a library prints goes to stderr: the engine's first act is to move stdout away."""
    script = "from worker.engine.pipe import Pipe; p = Pipe.open(); print('noise', flush=True); p.write(b'line')"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert (ended.stdout, ended.stderr) == (b"line", b"noise\n")


def test_it_imports_nothing_heavy() -> None:
    """The engine starts quickly and runs where neither mlx nor redis is installed."""
    script = "import sys, worker.engine.scripted.__main__; print(*sys.modules)"

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)

    heavy = {"mlx", "mlx_lm", "redis", "numpy", "asyncio", "structlog", "ctypes"}
    assert not heavy & set(ended.stdout.split())


@pytest.mark.long
def test_it_outruns_the_gateway(start: Start) -> None:
    """At 32 slots without pacing one engine gives at least 60,000 tokens a second, else it would measure itself."""
    engine = start("--slots", "32", "--step-ms", "0", "--context-tokens", "100000")
    engine.hear_ready()
    engine.say(*(Generate(id=str(n), prompt="a", max_tokens=5_000) for n in range(32)))
    began = time.monotonic()

    done = 0
    while done < 32:
        done += os.read(engine.stdout.fileno(), 1 << 20).count(b'"done"')

    assert 32 * 5_000 / (time.monotonic() - began) >= 60_000
