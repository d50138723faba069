"""What becomes of every field of a request: the table from which `docs/compatibility.md` is drawn."""

from gateway.openai.fields import HINT, ONE_CALL, STRICT, SUPPORTED, Field, Fields

_EXTRA = "an extra, as in a chat"

RESPONSES: Fields = {
    "input": Field(
        "supported",
        "a text, or 1 … 1,024 items: `message` (also without a type; roles user, assistant, system, developer as "
        "system; parts `input_text`, `output_text`, `refusal`), `function_call`, `function_call_output`; `reasoning` "
        "is left out; images, files, references and all other items are refused by their path",
    ),
    "instructions": Field("supported", "a system message before all others; not carried over to the next response"),
    "previous_response_id": Field(
        "supported",
        "while that response is kept, ten minutes after its end by default; else `previous_response_not_found`",
    ),
    "model": Field("supported", "a served model or an alias; may be left out where `/chat` may; the answer repeats it"),
    "max_output_tokens": Field("supported", "1 … 1,000,000, ended by the context; without it 8,192"),
    "temperature": Field("supported", "0 … 5, default 1"),
    "top_p": Field("supported", "0 … 1, default 1"),
    "tools": Field("supported", f"functions, at most 128; {STRICT}; all other tools are refused by their type"),
    "tool_choice": Field("supported", "`none`, `auto`, `required`, a named function, `allowed_tools` of functions"),
    "parallel_tool_calls": Field("supported", ONE_CALL),
    "text": Field("supported", "`format`: `text`, `json_object`, `json_schema`, always held to; `verbosity` is a hint"),
    "reasoning": Field(
        "supported",
        "`effort`, told to the chat template: `none` is no thinking; `xhigh`, `max` are high; `summary` is a hint: "
        "thoughts are told as they are, in `reasoning` items",
    ),
    "include": Field("supported", "`message.output_text.logprobs`; the others are hints: there is nothing of theirs"),
    "top_logprobs": Field("supported", "0 … 20"),
    "truncation": Field("supported", "`disabled`; `auto` is refused"),
    "stream": SUPPORTED,
    "stream_options": Field("supported", "all of it is a hint"),
    "background": Field("supported", "needs `store`; runs whether anybody listens or not"),
    "store": Field(
        "supported", "true by default: kept for ten minutes after its end; false: it can't be asked for again"
    ),
    "metadata": Field("supported", "16 pairs; repeated in the answer"),
    "top_k": Field("supported", _EXTRA),
    "min_p": Field("supported", _EXTRA),
    "repetition_penalty": Field("supported", _EXTRA),
    "presence_penalty": Field("supported", _EXTRA),
    "frequency_penalty": Field("supported", _EXTRA),
    "logit_bias": Field("supported", _EXTRA),
    "seed": Field("supported", _EXTRA),
    "stop": Field("supported", _EXTRA),
    "min_tokens": Field("supported", _EXTRA),
    "prompt_cache_key": Field("supported", "as in a chat"),
    "user": HINT,
    "safety_identifier": HINT,
    "service_tier": HINT,
    "prompt_cache_options": HINT,
    "prompt_cache_retention": HINT,
    "max_tool_calls": Field("hint", "it is of tools that run at the server; there are none"),
    "background_options": HINT,
    "context_management": HINT,
    "access_programs": HINT,
    "image": HINT,
    "n": Field("refused", "a response is one answer"),
    "conversation": Field("refused", "use `previous_response_id`"),
    "prompt": Field("refused", "no prompts are kept here"),
    "moderation": Field("refused", "nothing is moderated here"),
    "moderation_policy": Field("refused", "nothing is moderated here"),
}
