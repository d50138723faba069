"""The scripted engine's prompt cache: what is not paid again, and what is told of it."""

from msgspec.structs import replace

from worker.engine.scripted.batch import Batch
from worker.engine.scripted.recall import Recall
from worker.engine.scripted.settings import Settings
from worker.engine.wire import AnyReply, Cached, Done, Generate, Prefill, Started, decode_reply

# A prompt of four hundred tokens by names, five hundred by the engine's own count.
FIRST = (("system", 100), ("question", 400))
SECOND = (*FIRST, ("answer", 440), ("more", 480))


def replies(lines: bytes) -> list[AnyReply]:
    return [decode_reply(line) for line in lines.splitlines()]


def served(batch: Batch, ask: Generate) -> list[AnyReply]:
    """All that is said until it has ended, with what is told of the cache at each step."""
    said = replies(batch.take(ask, is_by_hand=False, now_ns=0))
    while not batch.is_idle:
        said += replies(batch.admit(0) + batch.step(0).lines + batch.news())
    return said


def ask(name: str, prefixes: tuple[tuple[str, int], ...], *, tokens: int, max_tokens: int = 20) -> Generate:
    return Generate(id=name, tokens=[1] * tokens, max_tokens=max_tokens, prefixes=prefixes)


def test_a_second_turn_pays_for_its_new_tokens_only() -> None:
    """Its time and its words say so: what was read, and the answer that was given, is cached."""
    batch = Batch(Settings(prefill_ms_per_token=1, step_ms=0, prompt_cache_tokens=10_000))
    served(batch, ask("1", FIRST, tokens=400))

    batch.take(ask("2", SECOND, tokens=480), is_by_hand=False, now_ns=0)
    started = replies(batch.admit(0))[0]
    step = batch.step(0)

    assert isinstance(started, Started)
    assert started.cached_tokens == 400 + 20
    assert step.takes_ns == 60 * 1_000_000
    assert replies(step.lines)[0] == Prefill(id="2", done=480, total=480)
    assert batch.stats().prompt_tokens == 880
    assert (batch.stats().cache_hits, batch.stats().cache_saved_tokens) == (1, 420)


def test_what_is_served_is_told_once() -> None:
    """When a prompt was read; a later turn in its place is news of the later turn only."""
    batch = Batch(Settings(prompt_cache_tokens=10_000))

    first = [reply for reply in served(batch, ask("1", FIRST, tokens=400)) if isinstance(reply, Cached)]
    second = [reply for reply in served(batch, ask("2", SECOND, tokens=480)) if isinstance(reply, Cached)]

    assert first == [Cached(stored=["question", "system"])]
    assert second == [Cached(stored=["more", "answer"])]


def test_what_was_of_use_longest_ago_is_evicted_and_read_again() -> None:
    """Each state takes its whole length, also of what it shares with others."""
    batch = Batch(Settings(prompt_cache_tokens=900))
    served(batch, ask("1", FIRST, tokens=400))

    others = [reply for name in "abc" for reply in served(batch, ask(name, (("system", 100), (name, 400)), tokens=400))]
    again = served(batch, ask("2", SECOND, tokens=480))

    evicted = [name for reply in others if isinstance(reply, Cached) for name in reply.evicted]
    assert evicted == ["question", "a"]
    assert isinstance(done := [reply for reply in again if isinstance(reply, Done)][-1], Done)
    assert done.usage.cached_tokens == 100


def test_the_same_prompt_again_is_read_to_its_last_token() -> None:
    """One is always read, as a model has to; and whoever goes on from a beginning keeps it."""
    recall = Recall(1_000)
    recall.store(FIRST, 400)
    recall.store((("other", 400),), 400)

    assert recall.find(FIRST, 400) == 399
    recall.store((("third", 400),), 400)

    assert ("question" in recall.labels, "other" in recall.labels) == (True, False)
    assert recall.held_tokens == 800


def test_without_a_cap_or_without_names_nothing_is_kept() -> None:
    """Such an engine is the one that it was before."""
    off = Batch(Settings())
    on = Batch(Settings(prompt_cache_tokens=10_000))
    nameless = replace(ask("1", FIRST, tokens=400), prefixes=())

    said = served(off, ask("1", FIRST, tokens=400)) + served(off, ask("2", FIRST, tokens=400))

    assert said == served(on, nameless) + served(on, replace(nameless, id="2"))
    assert not any(isinstance(reply, Cached) for reply in said)


def test_a_cancelled_generation_leaves_what_it_has_read() -> None:
    """Not so one that is cancelled in the middle of its prompt."""
    batch = Batch(Settings(prefill_ms_per_token=1, prompt_cache_tokens=10_000))
    for name, prefixes in (("read", FIRST), ("unread", (("long", 600),))):
        batch.take(ask(name, prefixes, tokens=prefixes[-1][1]), is_by_hand=False, now_ns=0)
    batch.admit(0)
    batch.step(0)
    batch.step(0)

    batch.cancel("read")
    batch.cancel("unread")

    assert replies(batch.news()) == [Cached(stored=["question", "system"])]
