"""The processes of this machine, as `ps` lists them on macOS and Linux: whose child each is, and what it was told."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from mlx_pool.failure import Failed

_MODULE: Final = "-m"


class Process(msgspec.Struct, frozen=True):
    """One of them; `words` are its command line, parted at blanks."""

    pid: int
    parent: int
    words: tuple[str, ...]

    def runs(self, *module: str) -> bool:
        """Whether it is Python that runs this module, or this module's command."""
        at = self.words.index(_MODULE) + 1 if _MODULE in self.words else len(self.words)
        return self.words[at : at + len(module)] == module

    def is_of(self, prefix: Path) -> bool:
        """Whether its interpreter, or its script, lies in this environment."""
        return any(Path(word).parent == prefix / "bin" for word in self.words[:2])

    def value(self, flag: str) -> str | None:
        """Give what stands behind a flag, if it is there."""
        for at, word in enumerate(self.words):
            name, has_value, value = word.partition("=")
            if name == flag:
                return value if has_value else "".join(self.words[at + 1 : at + 2]) or None
        return None


def processes() -> list[Process]:
    """List them all.

    Raises:
        Failed: there is no `ps`, or it did not get to its end.

    """
    try:
        told = subprocess.run(
            ("ps", "-A", "-ww", "-o", "pid=", "-o", "ppid=", "-o", "stat=", "-o", "args="),  # noqa: S607 -- as on PATH
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed("`ps` is not on this machine: what runs here can't be seen.") from error
    if told.returncode:
        raise Failed(f"`ps` ended with {told.returncode}: what runs here can't be seen.")
    return list(read_listing(told.stdout))


def read_listing(text: str) -> Iterator[Process]:
    """Read what `ps` lists; one that has ended, and that nobody has asked after, is none."""
    for line in text.splitlines():
        match line.split():
            case [pid, parent, state, *words] if words and not state.startswith("Z"):
                yield Process(int(pid), int(parent), tuple(words))
            case _:
                continue


def tree(listed: Sequence[Process], root: int) -> list[Process]:
    """Give the process of this pid, and all that descend from it."""
    found = [each for each in listed if each.pid == root]
    for each in found:
        found += [child for child in listed if child.parent == each.pid and child not in found]
    return found


def workers(listed: Sequence[Process]) -> list[Process]:
    """Choose those that are workers' agents."""
    return [each for each in listed if each.runs("worker")]
