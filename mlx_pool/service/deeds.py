"""Work carried out on this machine, or told in words: the one place that writes files and runs commands."""

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from mlx_pool.failure import Failed

from .env_file import MODE, decode_env
from .owner import Owner
from .work import File, Run, Work

_AGAIN_S = 1.0


def carry_out(work: Work, owner: Owner) -> None:
    """Do all of it, in its order.

    Raises:
        Failed: a file can't be written, or a command ended badly; what was done before it stays.

    """
    for run in work.before:
        _run(run)
    try:
        for folder in work.folders:
            folder.mkdir(parents=True, exist_ok=True)
            _give(folder, owner)
        for file in work.files:
            _write(file, owner)
    except OSError as error:
        raise Failed(f"{error.filename} can't be written: {error.strerror}.") from error
    for run in work.after:
        _run(run)
    for path in work.deleted:
        path.unlink(missing_ok=True)


def in_words(work: Work) -> Iterator[str]:
    """Tell what would be done, line by line; of secrets only the names."""
    for run in work.before:
        yield f"would run {shlex.join(run.argv)}"
    for file in work.files:
        if file.is_secret:
            names = ", ".join(decode_env(file.text)) or "nothing yet"
            yield f"would write {file.path}, for its user's eyes only, with {names}"
        else:
            yield f"would write {file.path}:"
            yield from (f"    {line}" for line in file.text.splitlines())
    for run in work.after:
        yield f"would run {shlex.join(run.argv)}"
    for path in work.deleted:
        yield f"would delete {path}"


def ask(argv: tuple[str, ...]) -> tuple[str, int]:
    """Run a command that only tells; returns what it told, and its exit code.

    Raises:
        Failed: it is not there.

    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 -- a manager's own command
    except FileNotFoundError as error:
        raise Failed(f"`{argv[0]}` is not on this machine.") from error
    return done.stdout + done.stderr if done.returncode else done.stdout, done.returncode


def _run(run: Run) -> None:
    until = time.monotonic() + run.within_s
    while True:
        told, code = ask(run.argv)
        if not code or run.is_optional:
            return
        if time.monotonic() >= until:
            said = " ".join(told.split()) or "without a word"
            raise Failed(f"`{shlex.join(run.argv)}` ended with {code}: {said.rstrip('.')}. {run.advice}".rstrip())
        time.sleep(_AGAIN_S)


def _write(file: File, owner: Owner) -> None:
    file.path.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.path.with_name(f"{file.path.name}.new")
    scratch.unlink(missing_ok=True)
    mode = MODE if file.is_secret else 0o644
    # Made with its mode, so that nobody sees it before it has it.
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:  # noqa: PTH123 -- Path.open takes no mode bits
        out.write(file.text)
    if file.is_secret:
        _give(scratch, owner)
    scratch.replace(file.path)


def _give(path: Path, owner: Owner) -> None:
    """Make it its owner's, where root installs what runs as somebody else."""
    if owner.scope == "system" and os.geteuid() == 0:
        os.chown(path, owner.uid, -1)
