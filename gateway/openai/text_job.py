"""A completions request as jobs: one for each prompt, as it is, with no chat template around it."""

from collections.abc import Sequence
from typing import cast

from shared.errors import Refused
from shared.job import Job, check_ask

from .sampling import sampled
from .text_request import TextRequest

MAX_ANSWERS = 32  # of all prompts together
Prompt = str | list[int]


def text_jobs(request: TextRequest) -> list[Job]:
    """The jobs that give one answer each, one for each prompt.

    Raises:
        Refused: it asks for what can't be done; `param` is the field's path in the request.

    """
    prompts = prompts_of(request)
    _check(request, prompts)
    jobs = [sampled(_job(prompt, request.logprobs), request, max_tokens=request.max_tokens) for prompt in prompts]
    for job in jobs:
        check_ask(job)
    return jobs


def prompts_of(request: TextRequest) -> list[Prompt]:
    """The prompts, whichever of its four shapes the field has.

    Raises:
        Refused: it is a mixture, or one of them is empty.

    """
    given = request.prompt
    if isinstance(given, str):
        prompts: Sequence[object] = [given]
    else:
        prompts = [given] if isinstance(given[0], int) else given
        if len({type(each) for each in given}) > 1:
            said = "`prompt` is a text, a list of texts, a list of token ids, or a list of such lists."
            raise Refused("invalid_value", said, param="prompt")
    if not all(prompts):
        raise Refused("invalid_value", "`prompt` is empty.", param="prompt")
    return cast("list[Prompt]", prompts)


def _job(prompt: Prompt, logprobs: int | None) -> Job:
    if isinstance(prompt, str):
        return Job(prompt=prompt, kind="text", logprobs=logprobs)
    return Job(tokens=prompt, kind="text", logprobs=logprobs)


def _check(request: TextRequest, prompts: Sequence[Prompt]) -> None:
    if len(prompts) * request.n > MAX_ANSWERS:
        said = f"{len(prompts)} prompts with n={request.n} are more than {MAX_ANSWERS} answers."
        raise Refused("invalid_value", said, param="prompt" if len(prompts) > MAX_ANSWERS else "n")
    if request.best_of is not None and request.best_of != request.n:
        raise Refused(
            "unsupported", "All answers are given: `best_of` can't be another number than `n`.", param="best_of"
        )
    if request.suffix:
        raise Refused("unsupported", "Nothing is filled in between texts here.", param="suffix")
    if request.echo and not all(isinstance(prompt, str) for prompt in prompts):
        raise Refused("unsupported", "`echo` is of texts: the gateway can't read token ids.", param="echo")
    if request.echo and request.logprobs is not None:
        raise Refused("unsupported", "The prompt's own logprobs are not known: `echo` or `logprobs`.", param="echo")
