"""Models that think and call, without their weights: real tokenizers with the families' markers, and ids to say."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_lm.chat_templates import muse_spark
from mlx_lm.tokenizer_utils import (
    BPEStreamingDetokenizer,
    TokenizerWrapper,
    load,  # pyright: ignore[reportUnknownVariableType] its options are not typed
)
from msgspec.structs import replace

from shared.event import ToolCall
from shared.job import TemplateKwargs
from shared.tools import Function, Tool
from tests.engine.hermes import TEMPLATE
from worker.engine.generation import Generation
from worker.engine.text.prompt import prompt_of
from worker.engine.text.speech import speech_for
from worker.engine.text.stream import TextStream
from worker.engine.text.tokenizer import Tokenizer
from worker.engine.wire import Done, Generate, Resume, Token

WEATHER = Tool(
    "function",
    Function(
        "get_weather",
        parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    ),
)
AT_ONCE = TemplateKwargs(enable_thinking=False)  # the library's default is to think, where a model can
_MARKER = re.compile(r"<[^<> ]+>")


class Families:
    """Models that write their calls as mlx-lm's parsers read them: one tokenizer, which has the markers of all."""

    def __init__(self, folder: Path, parsers: Sequence[str], *, has_markers: bool = True) -> None:
        wrapped: Any = load(folder)
        self._inner: Any = wrapped._tokenizer
        self._parsers: dict[str, Any] = {
            name: importlib.import_module(f"mlx_lm.tool_parsers.{name}") for name in parsers
        }
        texts = {text for module in self._parsers.values() for text in (module.tool_call_start, module.tool_call_end)}
        if has_markers:
            self._inner.add_tokens(["<think>", "</think>", *sorted(filter(_MARKER.fullmatch, texts))])
        self._inner.chat_template = TEMPLATE
        self._made: dict[str | None, Tokenizer] = {}

    def of(self, parser: str | None) -> Tokenizer:
        """The model with this parser; None: it makes no calls."""
        if parser not in self._made:
            wrapper: Any = TokenizerWrapper
            self._made[parser] = Tokenizer(wrapper(self._inner, BPEStreamingDetokenizer, **self._options(parser)))
        return self._made[parser]

    def _options(self, parser: str | None) -> dict[str, Any]:
        if parser is None:
            return {}
        module = self._parsers[parser]
        markers: dict[str, Any] = {"tool_call_start": module.tool_call_start, "tool_call_end": module.tool_call_end}
        markers["tool_parser"] = module.parse_tool_call
        if parser == "muse_spark":
            markers["response_format"] = muse_spark.RESPONSE_FORMAT
        return markers


@dataclass
class Answer:
    """What a generation told."""

    tokens: list[Token]
    done: Done

    @property
    def content(self) -> str:
        """All of the content."""
        return "".join(token.content for token in self.tokens)

    @property
    def reasoning(self) -> str:
        """All of the reasoning."""
        return "".join(token.reasoning for token in self.tokens)

    @property
    def calls(self) -> list[ToolCall]:
        """All calls."""
        return [call for token in self.tokens for call in token.tool_calls]

    @property
    def warnings(self) -> list[str]:
        """All warnings."""
        return [token.warning for token in self.tokens if token.warning]

    @property
    def called(self) -> list[tuple[str, str]]:
        """Names and arguments of all calls."""
        return [(call.name, call.arguments) for call in self.calls]


def ids_of(tokenizer: Tokenizer, text: str, *, has_end: bool = True) -> list[int]:
    """The ids that a model would say this text with, and its end of turn."""
    return [*tokenizer.encode(text), *(sorted(tokenizer.ends)[:1] if has_end else [])]


def generation(tokenizer: Tokenizer, ask: Generate, limit: int = 10_000) -> Generation:
    """A generation of this ask, as the reception makes it."""
    prompt = prompt_of(ask, tokenizer, vocabulary=100_000, now_ms=0)
    speech = speech_for(ask, tokenizer.dialect, prompt, seed=ask.seed or 0)
    stream = TextStream(tokenizer, speech, after=None if prompt.is_templated else prompt.ids[-1])
    return Generation(ask, key=1, has_op=True, prompt=prompt, stream=stream, ends=tokenizer.ends, limit=limit)


def hear(
    tokenizer: Tokenizer, ask: Generate, ids: Sequence[int], *, resumed: int = 0, limit: int | None = None
) -> Answer:
    """Let a model say these ids, the first of them in an earlier attempt."""
    if resumed:
        ask = replace(ask, resume=Resume([*ids[:resumed]]))
    going = generation(tokenizer, ask, limit or len(ids))
    tokens: list[Token] = []
    for token in ids[resumed:]:
        if going.reason is not None:
            break
        tokens.append(going.take(token))
    return Answer(tokens, going.done())
