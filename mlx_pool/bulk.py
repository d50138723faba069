"""The command `mlx-pool bulk`: a file of requests, run by the pool's gateways, and its results as files.

The gateways keep the work going, and know how far it is; so nothing is kept here. A batch is found again by the hash of
its file: the same command on the same file comes back to it, from any machine.
"""

import contextlib
import hashlib
import http.client
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from shared.errors import Fault

from .arguments import KeyFileFlag, UrlFlag, call
from .bulk_client import Batch, BulkClient
from .failure import Failed, Unusable
from .where import gateway

MARK: Final = "mlx-pool-bulk"  # the metadata by which a batch is found again: the hash of its file
MAX_BYTES: Final = 64 << 20
_LOOK_EVERY_S: Final = 1.0
_AWAY_S: Final = 60.0  # how long no gateway may answer
T = TypeVar("T")


class _Line(msgspec.Struct, frozen=True):
    url: str


def run(argv: Sequence[str]) -> int:
    """Run the command."""
    return call(bulk, argv, name="bulk")


def bulk(
    file: Annotated[Path, Parameter(help="Requests as OpenAI's Batch API has them, one JSON object a line.")],
    *,
    out: Annotated[
        Path | None, Parameter(help="Where the results go. [default: beside FILE, as FILE.out.jsonl]")
    ] = None,
    again: Annotated[bool, Parameter(negative="", help="Run it anew, though it was run before.")] = False,
    cancel: Annotated[bool, Parameter(negative="", help="Cancel it; what has a result by then is fetched.")] = False,
    url: UrlFlag = None,
    key_file: KeyFileFlag = None,
) -> int:
    """Run a file of requests and fetch the results. Ctrl-C leaves it running: the same command comes back to it.

    What failed goes to FILE.errors.jsonl. Exit code 0 when every line has its answer.
    """
    endpoint, digest = _endpoint_of(file), _digest_of(file)
    place = gateway(url, key_file, os.environ)
    client = BulkClient(place)
    batch: Batch | None = None
    try:
        batch = None if again else _patiently(lambda: _known(client, digest), place.url)
        if batch is None:
            if cancel:
                raise Unusable(f"Nothing of {file} runs at {place.url}.")
            batch = client.begin(client.upload(file), endpoint, {MARK: digest})
        elif cancel:
            batch = client.cancel(batch.id)
        batch = _follow(client, batch, place.url)
        return _fetch(client, batch, file, out)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise _silent(place.url, error) from error
    except KeyboardInterrupt:
        if batch is None:
            raise  # nothing was begun
        sys.stderr.write("It goes on; the same command comes back to it, with --cancel to end it.\n")
        return 1


def _endpoint_of(file: Path) -> str:
    try:
        size = file.stat().st_size
        with file.open("rb") as lines:
            first = next((line for line in lines if line.strip()), b"")
    except OSError as error:
        raise Unusable(f"{file} can't be read: {error.strerror}.") from error
    if size > MAX_BYTES:
        raise Unusable(f"{file} has {size:,} bytes of at most {MAX_BYTES:,}: split it by lines.")
    try:
        return msgspec.json.decode(first, type=_Line).url
    except msgspec.DecodeError as error:
        said = '{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {…}}'
        raise Unusable(f"The first line of {file} is no request. Expected: {said}") from error


def _digest_of(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _known(client: BulkClient, digest: str) -> Batch | None:
    """The newest batch of this file, if it runs, or has its results."""
    same = (batch for batch in client.batches() if batch.metadata.get(MARK) == digest)
    newest = next(same, None)
    return newest if newest and (newest.status == "completed" or not newest.has_ended) else None


def _follow(client: BulkClient, batch: Batch, url: str) -> Batch:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task(batch.status, total=batch.request_counts.total)
        while True:
            counts = batch.request_counts
            bar.update(row, description=batch.status, completed=counts.completed + counts.failed)
            if batch.has_ended:
                return batch
            time.sleep(_LOOK_EVERY_S)
            batch = _patiently(lambda name=batch.id: client.batch(name), url)


def _patiently(ask: Callable[[], T], url: str) -> T:
    """Ask until a gateway answers: one that is restarted is away for a moment only."""
    since = time.monotonic()
    while True:
        try:
            return ask()
        except (OSError, http.client.HTTPException, Fault) as error:
            if time.monotonic() - since > _AWAY_S:
                raise _silent(url, error) from error
        time.sleep(_LOOK_EVERY_S)


def _fetch(client: BulkClient, batch: Batch, file: Path, out: Path | None) -> int:
    out = out or file.with_name(f"{file.name.removesuffix('.jsonl')}.out.jsonl")
    errors = out.with_name(f"{out.name.removesuffix('.jsonl').removesuffix('.out')}.errors.jsonl")
    for file_id, path in ((batch.output_file_id, out), (batch.error_file_id, errors)):
        if file_id:
            client.download(file_id, path)
            sys.stdout.write(f"{path}\n")
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()  # of an earlier run
    counts = batch.request_counts
    if batch.status != "completed":
        raise Failed(
            f"The batch is {batch.status}: {counts.completed} of {counts.total} lines have an answer.{_why(batch)}"
        )
    return 0 if counts.completed == counts.total else 1


def _why(batch: Batch) -> str:
    problems = batch.errors.data if batch.errors else []
    return "".join(f"\n{f'line {each.line}: ' if each.line else ''}{each.message}" for each in problems)


def _silent(url: str, error: Exception) -> Failed:
    reason = str(error) or type(error).__name__
    return Failed(f"No answer from {url} ({reason}): is a pool running? `mlx-pool up` starts one.")
