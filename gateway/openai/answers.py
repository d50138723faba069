"""What a request of either kind wants: its jobs, and how their events become its answer."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from gateway.admission import variant_of
from gateway.gathered import Gathered
from shared.job import Job

from .chat_chunks import ChatChunks
from .chat_job import chat_job
from .chat_request import ChatRequest
from .envelope import Chunks, Envelope
from .sampling import Sampling
from .text_chunks import TextChunks
from .text_job import prompts_of, text_jobs
from .text_request import TextRequest
from .whole import ChatCompletion, TextCompletion, chat_completion, text_completion


class Answers(Protocol):
    """The answers to one request."""

    @property
    def request(self) -> Sampling:
        """What was asked for."""
        ...

    @property
    def prefix(self) -> str:
        """What stands before a job's id in an answer's."""
        ...

    def jobs(self) -> list[Job]:
        """A job for each answer, in the order of the choices' indexes."""
        ...

    def chunks(self, envelope: Envelope, index: int) -> Chunks:
        """What writes one choice of a stream."""
        ...

    def whole(self, envelope: Envelope, gathered: Sequence[Gathered]) -> msgspec.Struct:
        """What the jobs told, as one object."""
        ...


class ChatAnswers:
    """Answers to a conversation."""

    prefix = "chatcmpl-"

    def __init__(self, request: ChatRequest) -> None:
        self.request = request

    def jobs(self) -> list[Job]:
        """`n` jobs."""
        job = chat_job(self.request)
        return [variant_of(job, number) for number in range(self.request.n)]

    def chunks(self, envelope: Envelope, index: int) -> ChatChunks:
        """Role, deltas, reason."""
        return ChatChunks(envelope, index, has_usage=self.request.has_usage)

    def whole(self, envelope: Envelope, gathered: Sequence[Gathered]) -> ChatCompletion:
        """A message for each choice."""
        return chat_completion(envelope, gathered, has_logprobs=self.request.logprobs)


class TextAnswers:
    """Answers that go on with texts."""

    prefix = "cmpl-"

    def __init__(self, request: TextRequest) -> None:
        self.request = request

    def jobs(self) -> list[Job]:
        """`n` jobs for each prompt, prompt by prompt."""
        return [variant_of(job, number) for job in text_jobs(self.request) for number in range(self.request.n)]

    def chunks(self, envelope: Envelope, index: int) -> TextChunks:
        """Perhaps the prompt, texts, reason."""
        asked = self.request
        echo = self._echoes()[index] if asked.echo else None
        return TextChunks(envelope, index, has_usage=asked.has_usage, echo=echo, logprobs=asked.logprobs)

    def whole(self, envelope: Envelope, gathered: Sequence[Gathered]) -> TextCompletion:
        """A text for each choice."""
        asked = self.request
        return text_completion(envelope, gathered, echoes=self._echoes(), answers=asked.n, logprobs=asked.logprobs)

    def _echoes(self) -> list[str]:
        asked = self.request
        prompts = prompts_of(asked) if asked.echo else [""] * len(prompts_of(asked))
        return [str(prompt) for prompt in prompts for _ in range(asked.n)]
