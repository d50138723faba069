"""The ways to ask, by name: how a prompt is sampled, ended and put. Each draws what it needs from the run's chance."""

import random
from collections.abc import Callable, Mapping
from typing import Any

THEMES = (
    "안녕하세요, 오늘 이야기를 들려주세요",
    "a long story of the sea",
    "👩‍🚀 und die Straße",
    "日本の朝",
    "ﷺ ㅎㅎ é\u2028",
)
# Some for the scripted engine, whose tokens they are, some for a model.
_STOPS = ("한국", "🚀", "입니다", "the", "日本", "42", ". ", "er", "q")
# Random weights hardly ever draw an id twice, and then no penalty tells: so a few ids are favoured.
_FEW_WORDS = {str(token): 15.0 for token in range(300, 1_500, 50)}
_PENALTIES = {
    "repeat_penalty": 1.3,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.2,
    "repeat_last_n": 20,
    "logit_bias": _FEW_WORDS,
}


_PEOPLE = {
    "type": "array",
    "minItems": 3,
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "maximum": 150}},
        "required": ["name", "age"],
        "additionalProperties": False,
    },
}
_FORECAST = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "day": {"enum": ["오늘", "내일"]}},
    "required": ["city", "day"],
    "additionalProperties": False,
}
_TOOLS = [{"type": "function", "function": {"name": name, "parameters": _FORECAST}} for name in ("rain", "sun")]


def _seed(chance: random.Random) -> int:
    return chance.randrange(2**32)


def _stops(chance: random.Random) -> list[str]:
    return chance.sample(_STOPS, chance.randint(1, 3))


def _turns(prompt: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "말을 아껴라"}, {"role": "user", "content": prompt}]


def _form() -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "people", "schema": _PEOPLE}}


def _calling() -> dict[str, Any]:
    return {"tools": _TOOLS, "tool_choice": "required", "template_kwargs": {"enable_thinking": False}}


KINDS: Mapping[str, Callable[[str, random.Random], dict[str, Any]]] = {
    "greedy": lambda prompt, _: {"prompt": prompt, "temperature": 0},
    "seeded": lambda prompt, chance: {"prompt": prompt, "seed": _seed(chance)},
    "stops": lambda prompt, chance: {"prompt": prompt, "stop": _stops(chance), "seed": _seed(chance)},
    "penalties": lambda prompt, chance: {"prompt": prompt, "seed": _seed(chance)} | _PENALTIES,
    "unseeded": lambda prompt, _: {"prompt": prompt},  # the seed comes from the job's id
    "conversation": lambda prompt, _: {"messages": _turns(prompt)},
    "text": lambda prompt, _: {"prompt": prompt, "kind": "text"},
    "logprobs": lambda prompt, chance: {"prompt": prompt, "logprobs": chance.randint(0, 3)},
    "schema": lambda prompt, chance: {"prompt": prompt, "seed": _seed(chance), "response_format": _form()},
    "calls": lambda prompt, chance: {"prompt": prompt, "seed": _seed(chance)} | _calling(),
}
GRAMMATICAL = ("schema", "calls")  # of a real engine only
SCRIPTED = tuple(kind for kind in KINDS if kind not in GRAMMATICAL)
MODELLED = ("greedy", "seeded", "stops", "penalties", *GRAMMATICAL)  # the answers don't depend on the jobs' ids
