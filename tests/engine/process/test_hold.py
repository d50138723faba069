"""An engine that is told to wait, since nobody can hear it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from worker.engine.wire import Cancel, Done, Error, Generate, Hold, Stats, Token

if TYPE_CHECKING:
    from .conftest import Engine

ASK = Generate(id="x", prompt="x", seed=1, max_tokens=400, min_tokens=400)


def test_held_it_computes_nothing_but_listens(engine: Engine) -> None:
    """It answers a line and reports, and no token comes between; a row cancelled meanwhile never speaks again."""
    engine.write(ASK, replace(ASK, id="y"))
    engine.hear_until(lambda reply: isinstance(reply, Token) and reply.id == "y")

    engine.write(Hold(for_ms=60_000), Cancel(id="y"), b"?\n")
    engine.hear_until(lambda reply: isinstance(reply, Error))
    still = engine.hear_until(lambda reply: isinstance(reply, Stats))
    engine.write(Hold(for_ms=0))

    assert [type(reply) for reply in still] == [Stats]
    said = engine.hear_until(lambda reply: isinstance(reply, Done))
    assert {reply.id for reply in said if isinstance(reply, (Token, Done))} == {"x"}


def test_a_hold_ends_by_itself(engine: Engine) -> None:
    """An engine whose agent forgot it does not wait for ever."""
    engine.write(Hold(for_ms=100), Generate(id="x", prompt="x", seed=1, max_tokens=3))

    engine.hear_until(lambda reply: isinstance(reply, Done))
