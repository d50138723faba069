"""Token counts in OpenAI's words; the numbers are the engine's own."""

from collections.abc import Sequence

import msgspec

from shared.event import Usage


class PromptTokensDetails(msgspec.Struct, frozen=True):
    """Of the prompt's tokens, those that needed no prefill."""

    cached_tokens: int


class CompletionUsage(msgspec.Struct, frozen=True):
    """The counts of a request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


def usage_of(usages: Sequence[Usage], *, answers: int = 1) -> CompletionUsage:
    """The counts of all choices together, of which there are `answers` to each prompt: a prompt counts once."""
    firsts = usages[::answers]
    prompt = sum(usage.prompt_tokens for usage in firsts)
    completion = sum(usage.completion_tokens for usage in usages)
    cached = sum(usage.cached_tokens for usage in firsts)
    return CompletionUsage(prompt, completion, prompt + completion, PromptTokensDetails(cached))
