"""The command `mlx-pool chat`: a conversation in the terminal, over HTTP like any other client's.

Ctrl-C stops the answer: the gateway sees the connection close and cancels the job. What had come by then stays in the
conversation, as the person has read it.
"""

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from shared.errors import PoolError
from shared.event import Queued
from shared.job import Message

from .arguments import KeyFileFlag, UrlFlag, call
from .chat_client import answer_to
from .failure import CommandError
from .waiting import WaitingLine
from .where import Gateway, gateway


class Conversation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of the next request: the turns so far, and how to answer."""

    messages: tuple[Message, ...] = ()
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None

    def and_then(self, role: str, content: str) -> "Conversation":
        """Give the conversation with one more turn."""
        turn = msgspec.convert({"role": role, "content": content}, Message)
        return msgspec.structs.replace(self, messages=(*self.messages, turn))


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(chat, argv, name="chat")


def chat(
    question: Annotated[str | None, Parameter(help="Ask this, print the answer and leave.")] = None,
    *,
    url: UrlFlag = None,
    key_file: KeyFileFlag = None,
    model: Annotated[str | None, Parameter(help="Which model, where there are several.")] = None,
    system: Annotated[str | None, Parameter(help="How the model should behave.")] = None,
    max_tokens: Annotated[int | None, Parameter(help="The longest answer. [default: 512]")] = None,
    temperature: Annotated[float | None, Parameter(help="0 always takes the likeliest token. [default: 0.7]")] = None,
) -> int:
    """Talk to the pool. Ctrl-C stops an answer; Ctrl-D, or Ctrl-C at the prompt, leaves."""
    # A shell starts what it runs in the background deaf to Ctrl-C; here it always means the answer.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    place = gateway(url, key_file, os.environ)
    conversation = Conversation(model=model, max_tokens=max_tokens, temperature=temperature)
    if system:
        conversation = conversation.and_then("system", system)
    if question is not None:
        _exchange(place, conversation.and_then("user", question))
        return 0
    _talk(place, conversation)
    return 0


def _talk(place: Gateway, conversation: Conversation) -> None:
    for question in _questions():
        asked = conversation.and_then("user", question)
        try:
            answer = _exchange(place, asked)
        except (CommandError, PoolError) as error:
            # The question is dropped with its failed answer: two user turns in a row fit no template.
            sys.stderr.write(f"{error}\n")
            continue
        conversation = asked.and_then("assistant", answer)


def _questions() -> Iterator[str]:
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        with contextlib.suppress(ImportError):
            importlib.import_module("readline")  # its import gives input() line editing and history
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            question = input("> " if is_terminal else "").strip()
            if question:
                yield question


def _exchange(place: Gateway, conversation: Conversation) -> str:
    pieces: list[str] = []
    waiting = WaitingLine(sys.stderr)
    try:
        for piece in answer_to(place, msgspec.json.encode(conversation)):
            if isinstance(piece, Queued):
                if not any(pieces):  # a job may be given back in the middle of a line
                    waiting.show(piece)
                continue
            waiting.erase()
            pieces.append(piece)
            sys.stdout.write(piece)
            sys.stdout.flush()
    except KeyboardInterrupt:
        waiting.erase()
        pieces.append("")
        sys.stdout.write(" [stopped]")
    finally:
        waiting.erase()
        sys.stdout.write("\n" if pieces else "")
    return "".join(pieces)
