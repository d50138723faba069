"""The load generator as the one who measures sees it: an order goes in, a result comes out."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from bench.load.orders import Order, Result

from .process import ROOT, Died, environment, python

_STOP_WITHIN_S = 10.0
_LAST_CHARACTERS = 2_000


class LoadGenerator:
    """A load generator's process, for the length of a `with`; `module` is another that takes orders as it does."""

    def __init__(
        self, folder: Path, module: str = "bench.load", *flags: str, env: Mapping[str, str] | None = None
    ) -> None:
        self._log = folder / f"{module}.log"
        with self._log.open("ab") as log:
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(
                python(module, *flags), stdin=pipe, stdout=pipe, stderr=log, cwd=ROOT, env=environment(env)
            )

    def carry_out(self, order: Order) -> Result:
        """Have an order carried out.

        Raises:
            Died: it failed; the message has the generator's last words.

        """
        assert self._child.stdin
        assert self._child.stdout
        try:
            self._child.stdin.write(msgspec.json.encode(order) + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # its last words say why
        line = self._child.stdout.readline()
        if not line:
            raise Died(f"the load generator failed:\n{self._log.read_text(errors='replace')[-_LAST_CHARACTERS:]}")
        return msgspec.json.decode(line, type=Result)

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
