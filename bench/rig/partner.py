"""A process that a measurement talks with: a line of JSON in, a line of JSON out. It ends with its input."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from .process import ROOT, Died, environment, python

_STOP_WITHIN_S = 10.0
_LAST_CHARACTERS = 2_000
T = TypeVar("T")


class Partner:
    """Such a process, for the length of a `with`."""

    def __init__(self, folder: Path, module: str, *flags: str, env: Mapping[str, str] | None = None) -> None:
        self._module = module
        self._log = folder / f"{module}.log"
        with self._log.open("ab") as log:
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(
                python(module, *flags), stdin=pipe, stdout=pipe, stderr=log, cwd=ROOT, env=environment(env)
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def ask(self, question: Any, answer: type[T]) -> T:
        """Ask, and wait for the answer.

        Raises:
            Died: it failed; the message has its last words.

        """
        self.say(question)
        return self.hear(answer)

    def say(self, question: Any) -> None:
        """Ask, to hear the answer later."""
        assert self._child.stdin
        try:
            self._child.stdin.write(msgspec.json.encode(question) + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # its last words say why

    def hear(self, answer: type[T]) -> T:
        """Wait for the next answer.

        Raises:
            Died: it failed; the message has its last words.

        """
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            raise Died(f"{self._module} failed:\n{self._log.read_text(errors='replace')[-_LAST_CHARACTERS:]}")
        return msgspec.json.decode(line, type=answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin
        self._child.stdin.close()
        try:
            self._child.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
