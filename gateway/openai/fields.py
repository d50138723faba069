"""What becomes of every field of a request: the tables from which `docs/compatibility.md` is drawn.

supported: it does what OpenAI says, or what the note says. hint: accepted without effect, and told of in a header, as
every field is that stands in no table. refused: it would change the answer, so it is a 400 that names it.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

Fate = Literal["supported", "hint", "refused"]


class Field(NamedTuple):
    """A field's fate, and what there is to say of it; of a refused one, what its refusal says."""

    fate: Fate
    note: str = ""


Fields = Mapping[str, Field]

SUPPORTED = Field("supported")
HINT = Field("hint")
STRICT = "`strict` holds arguments to `parameters` with models that write calls as JSON, with others it is a hint"
ONE_CALL = "with false the answer ends with its first call"
_NO_FORM = Field("refused", "use `response_format`")

SAMPLING: Fields = {
    "model": Field("supported", "a served model or an alias; may be left out where `/chat` may; the answer repeats it"),
    "stream": SUPPORTED,
    "stream_options": Field("supported", "`include_usage`; `include_obfuscation` is a hint"),
    "temperature": Field("supported", "0 … 5, default 1"),
    "top_p": Field("supported", "0 … 1, default 1"),
    "top_k": Field("supported", "an extra: −1 … 1,024, default 0; 0 and −1 keep all"),
    "min_p": Field("supported", "an extra: 0 … 1, default 0"),
    "repetition_penalty": Field("supported", "an extra: above 0 … 10, default 1"),
    "presence_penalty": Field("supported", "−2 … 2; every penalty looks at the last 4,096 tokens, prompt included"),
    "frequency_penalty": Field("supported", "−2 … 2"),
    "logit_bias": Field("supported", "at most 300; of the served model's own token ids"),
    "seed": Field("supported", "of choice k it is `seed` + k"),
    "stop": Field("supported", "at most 16, of 256 characters each"),
    "min_tokens": Field("supported", "an extra: no end of turn before so many"),
    "prompt_cache_key": Field(
        "supported", "jobs of one key go to the same worker where they can; prompts are cached without it, too"
    ),
    "user": HINT,
    "metadata": HINT,
    "store": HINT,
    "service_tier": HINT,
    "safety_identifier": HINT,
    "prompt_cache_options": HINT,
    "prompt_cache_retention": HINT,
    "guided_json": _NO_FORM,
    "guided_regex": _NO_FORM,
    "guided_choice": _NO_FORM,
    "guided_grammar": _NO_FORM,
    "structured_outputs": _NO_FORM,
}

CHAT: Fields = {
    "messages": Field(
        "supported",
        "1 … 1,024; roles system, developer (as system), user, assistant, tool; text only: parts are joined by a line "
        "break, images, audio and files are refused",
    ),
    "n": Field("supported", "1 … 8: so many jobs, all accepted or none"),
    "max_completion_tokens": Field("supported", "1 … 1,000,000, ended by the context; without it 8,192"),
    "max_tokens": Field("supported", "the same; `max_completion_tokens` counts where both are given"),
    "tools": Field("supported", f"functions, at most 128; {STRICT}; custom tools are refused"),
    "tool_choice": Field("supported", "`none`, `auto`, `required`, a named function, `allowed_tools` of functions"),
    "parallel_tool_calls": Field("supported", ONE_CALL),
    "response_format": Field("supported", "`text`, `json_object`, `json_schema`; a schema is always held to"),
    "logprobs": SUPPORTED,
    "top_logprobs": Field("supported", "0 … 20, with `logprobs`"),
    "reasoning_effort": Field("supported", "told to the chat template: `none` is no thinking; `xhigh`, `max` are high"),
    "chat_template_kwargs": Field("supported", "an extra: `enable_thinking`, `reasoning_effort`"),
    "modalities": Field("supported", '`["text"]`'),
    **SAMPLING,
    "verbosity": HINT,
    "prediction": Field("hint", "it would only save time"),
    "audio": Field("refused", "the models here speak text"),
    "functions": Field("refused", "use `tools`"),
    "function_call": Field("refused", "use `tool_choice`"),
    "web_search_options": Field("refused", "nothing is searched here"),
    "moderation": Field("refused", "nothing is moderated here"),
}

TEXT: Fields = {
    "prompt": Field(
        "supported", "a text, token ids, or a list of either; 32 answers at most in all; no chat template is used"
    ),
    "n": Field("supported", "1 … 8 for each prompt"),
    "max_tokens": Field("supported", "1 … 1,000,000, default 16"),
    "echo": Field("supported", "of texts, without `logprobs`"),
    "logprobs": Field("supported", "0 … 20"),
    "best_of": Field("supported", "only as many as `n`"),
    "suffix": Field("supported", "only an empty one"),
    **SAMPLING,
}


def table(fields: Fields) -> str:
    """The fields as a table for people, in Markdown."""
    return "\n".join(_lines(fields))


def _lines(fields: Fields) -> Iterator[str]:
    yield "| field | | what the pool does |"
    yield "|---|---|---|"
    for name, (fate, note) in fields.items():
        yield f"| `{name}` | {fate} | {note} |"
