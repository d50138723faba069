"""What is asked: kinds of sampling and ending, and as many different asks of each as wanted."""

import random
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from worker.engine.wire import Generate

_TOPICS = ("a lighthouse", "두 고양이", "the sea", "日本の朝", "winter", "a clockmaker 👩‍🚀", "die Straße", "a garden")
_FORMS = (
    "Write a story about {}.",
    "What do you know about {}? Answer in one short sentence.",
    "List five things that have to do with {}, and say of each why.",
    "{}",
)
_STOPS = (".", "\n", "the", " and", "er", "고", "2", "ing", "st")
_FEWEST_TOKENS = 8

# With so many ids, so much favoured, random weights repeat themselves too; else penalties would have nothing to do.
_FEW_WORDS, _FAVOUR = range(300, 1_500, 50), 15.0


def _greedy(ask: Generate, _: random.Random) -> Generate:
    return replace(ask, temperature=0, repeat_penalty=1)


def _sampled(ask: Generate, _: random.Random) -> Generate:
    return ask  # as `/chat` has it: 0.7, top_p 0.95, top_k 40, repeat_penalty 1.1 over 64


def _stopped(ask: Generate, chance: random.Random) -> Generate:
    return replace(ask, stop=chance.sample(_STOPS, chance.randint(1, 3)))


def _penalised(ask: Generate, _: random.Random) -> Generate:
    return replace(ask, repeat_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2)


def _few_words(ask: Generate, chance: random.Random) -> Generate:
    return replace(_penalised(ask, chance), logit_bias={str(token): _FAVOUR for token in _FEW_WORDS}, repeat_last_n=20)


KINDS: Mapping[str, Callable[[Generate, random.Random], Generate]] = {
    "greedy": _greedy,
    "sampled": _sampled,
    "stop strings": _stopped,
    "penalties": _penalised,
    "few words": _few_words,
}


def asks(kind: str, count: int, tokens: int, chance: random.Random) -> list[Generate]:
    """Make so many asks of a kind, each of at most so many tokens; lengths differ, so that rows join and leave."""
    return [KINDS[kind](_ask(number, tokens, chance), chance) for number in range(count)]


def _ask(number: int, tokens: int, chance: random.Random) -> Generate:
    prompt = chance.choice(_FORMS).format(chance.choice(_TOPICS))
    return Generate(
        prompt=f"{number + 1}. {prompt}",
        max_tokens=chance.randint(min(_FEWEST_TOKENS, tokens), tokens),
        seed=chance.randrange(2**63),
        enqueued_at_ms=0,
    )
