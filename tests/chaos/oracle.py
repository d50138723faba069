"""What a request must be answered with, however often it is interrupted: the scripted engine's own yardstick.

With a model there is no oracle; there an undisturbed run of the same requests takes its place.
"""

import msgspec

from shared.job import parse_job, seed_of
from worker.engine.scripted.oracle import expected
from worker.engine.scripted.prompt import render


class Answer(msgspec.Struct, frozen=True):
    """A whole answer: its text, every id behind it, the tokens of the prompt, and how likely each id was called."""

    text: str
    ids: list[int]
    prompt_tokens: int
    logprobs: list[float] | None = None  # where asked for; None: nobody knows them to the last digit
    calls: str = ""


def answer_of(body: bytes, job_id: str) -> Answer:
    """Return the answer to a job's body under the job's id, from which its seed comes if it names none."""
    job = parse_job(body)
    answer = expected(job, seed_of(job_id) if job.seed is None else job.seed)
    return Answer(answer.text, answer.ids, render(job).tokens, [entry.logprob for entry in answer.logprobs])
