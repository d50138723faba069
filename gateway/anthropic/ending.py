"""How an answer ended, and what it cost, in Anthropic's words."""

from collections.abc import Mapping

from shared.event import Done, Reason, Usage

_STOP_REASONS: Mapping[Reason, str] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def stop_fields(done: Done | None) -> dict[str, str | None]:
    """Why the answer ended, and at which stop sequence; of one that has not ended yet, nothing."""
    if done is None:
        return {"stop_reason": None, "stop_sequence": None}
    if done.reason == "stop" and done.stop is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": done.stop}
    return {"stop_reason": _STOP_REASONS[done.reason], "stop_sequence": None}


def usage_fields(usage: Usage) -> dict[str, int]:
    """The engine's token counts: Anthropic's `input_tokens` are those that came from no cache."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }
