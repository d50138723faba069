"""An engine that runs short of memory, on real memory: it holds ballast up to just below a small limit."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from worker.engine.wire import Cancel, Done, Generate, HandedBack, Resume, Started, Stats, Token

from .conftest import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.engine.wire import AnyReply

GIB = 1 << 30
LIMIT_GB = 0.75
BALLAST = Path(__file__).with_name("ballast.py")


class Loaded(Engine):
    """An engine whose memory can be filled."""

    def __init__(self, model: Path, file: Path) -> None:
        self._file = file
        self._own_bytes = 0
        flags = ("--slots", "4", "--memory-limit-gb", str(LIMIT_GB), "--prompt-cache-mb", "8")
        super().__init__(model, *flags, env={"BALLAST": str(file)}, program=[str(BALLAST)])

    def weigh(self) -> None:
        """Note what it holds by itself."""
        self.hear_ready()
        self.write(Cancel(id=""))
        self._own_bytes = self.hear_pressure("").memory_bytes

    def fill(self, share: float) -> None:
        """Have it hold so much of the limit in all."""
        self._file.write_text(str(int(share * LIMIT_GB * GIB) - self._own_bytes))
        self.process.send_signal(signal.SIGUSR1)

    def hear_pressure(self, pressure: str) -> Stats:
        """Wait until it says that memory is so short."""
        stats = self.hear_until(lambda reply: isinstance(reply, Stats) and reply.pressure == pressure)[-1]
        assert isinstance(stats, Stats)
        return stats


@pytest.fixture
def loaded(tiny_model: Path, tmp_path: Path) -> Iterator[Loaded]:
    """An engine with a small limit, and nothing in the way yet."""
    engine = Loaded(tiny_model, tmp_path / "ballast")
    engine.weigh()
    yield engine
    engine.kill()


def ask(name: str, *, tokens: int = 400, seed: int = 1) -> Generate:
    return Generate(id=name, prompt=f"{name} " * 20, seed=seed, max_tokens=tokens, min_tokens=tokens)


def ends(replies: list[AnyReply]) -> list[str]:
    return [reply.id for reply in replies if isinstance(reply, Done)]


def test_above_the_soft_mark_requests_wait_and_all_are_answered(loaded: Loaded) -> None:
    """One at a time: nobody is aborted, nobody is handed back, and it says so."""
    loaded.fill(0.90)
    soft = loaded.hear_pressure("soft")

    loaded.write(ask("a"), ask("b"), ask("c"))
    replies = loaded.hear_until(lambda reply: isinstance(reply, Done) and reply.id == "c")

    order = [(type(reply), reply.id) for reply in replies if isinstance(reply, (Started, Done))]
    assert order == [(kind, name) for name in "abc" for kind in (Started, Done)]
    assert soft.memory_limit_bytes == int(LIMIT_GB * GIB)
    assert 0.85 <= soft.memory_bytes / soft.memory_limit_bytes < 0.95
    assert not any(isinstance(reply, HandedBack) for reply in replies)


def test_above_the_hard_mark_generations_are_handed_back_and_go_on_elsewhere(loaded: Loaded, engine: Engine) -> None:
    """Of three one stays; the others' ids and their next attempts' are those of undisturbed ones."""
    asks = {name: ask(name, tokens=3_000) for name in "abc"}
    loaded.fill(0.70)
    loaded.write(*asks.values())
    heard = loaded.hear_until(lambda reply: isinstance(reply, Token) and reply.id == "c")

    loaded.fill(0.98)
    heard += loaded.hear_until(lambda reply: isinstance(reply, Stats) and reply.handed_back == 2)

    gone = [reply for reply in heard if isinstance(reply, HandedBack)]
    pressure = next(at for at, reply in enumerate(heard) if isinstance(reply, Stats) and reply.pressure == "hard")
    assert pressure < heard.index(gone[0])
    assert not any(reply.alone for reply in gone)
    for name in (reply.id for reply in gone):
        ids = [token for reply in heard if isinstance(reply, Token) and reply.id == name for token in reply.tokens]
        whole, rest = engine.ask(_short(asks[name], ids, 40), _short(asks[name], ids, 40, resume=True))
        assert whole.ids == ids + rest.ids


def test_what_was_short_is_calm_again(loaded: Loaded) -> None:
    """When somebody else lets go of the memory, requests run beside each other as before."""
    loaded.fill(0.98)
    loaded.hear_pressure("hard")
    loaded.fill(0.60)
    loaded.hear_pressure("")

    loaded.write(ask("a", tokens=2_000), ask("b"))
    replies = loaded.hear_until(lambda reply: isinstance(reply, Done))

    assert ends(replies) == ["b"]


def test_what_was_typed_by_hand_is_answered_here(loaded: Loaded) -> None:
    """There is nobody to hand it to: it goes on, whatever the memory says."""
    loaded.write(b'{"prompt":"x","id":"a","max_tokens":900}\n', b'{"prompt":"y","id":"b","max_tokens":900}\n')
    loaded.hear_until(lambda reply: isinstance(reply, Token) and reply.id == "b")

    loaded.fill(0.98)
    replies = loaded.hear_until(lambda reply: isinstance(reply, Done))
    replies += loaded.hear_until(lambda reply: isinstance(reply, Done))

    assert sorted(ends(replies)) == ["a", "b"]


def _short(whole: Generate, ids: list[int], more: int, *, resume: bool = False) -> Generate:
    """The same ask, up to a few ids behind those that came."""
    tokens = min(whole.max_tokens, len(ids) + more)
    told = Resume(ids) if resume else None
    return Generate(prompt=whole.prompt, seed=whole.seed, max_tokens=tokens, min_tokens=tokens, resume=told)
