"""One connection to a machine that gives a model away: what it sends is bounded, and held to what was asked for.

`http.client` and not the hub's client: its reads are plain, so a stranger's pace and length are ours to judge.
"""

import contextlib
import http.client
import time
from collections.abc import Generator, Iterator
from urllib.parse import SplitResult, urlsplit

from shared.supply import Source, Supply

from .failure import Untrue
from .manifest import MAX_MANIFEST_BYTES

_CONNECT_WITHIN_S = 3.0
_SILENT_FOR_S = 10.0
_BLOCK_BYTES = 1 << 20
# A byte now and then keeps a connection alive, and a person waiting: slower than this it is taken from elsewhere.
_SLOWEST_BYTES_PER_S = 250_000
_PACE_OVER_S = 15.0


class Broken(Exception):
    """The connection broke, or the machine gives nothing now; it may be tried again."""


class Giver:
    """One machine's door. Owns one connection, made when it is needed. Not for two threads at once."""

    def __init__(self, source: Source, supply: Supply) -> None:
        self.id = source.id
        self._source = source
        self._path = f"/models/{supply.digest}"
        self._connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def manifest(self) -> bytes:
        """Read the manifest.

        Raises:
            Broken: it can't be had now.
            Untrue: it is larger than any.

        """
        with self._answer(f"{self._path}/manifest", {}, 200) as answer:
            length = _length(answer)
            if length > MAX_MANIFEST_BYTES:
                raise Untrue("its list of files has no end")
            return b"".join(_blocks(answer, length))

    def piece(self, number: int, start: int, length: int, size: int) -> Generator[bytes]:
        """Read so many bytes of the manifest's file `number`, which has `size`, as they come.

        Raises:
            Broken: the connection broke; what came before is good as far as can be known.
            Untrue: it answers with something else.

        """
        wanted = f"bytes {start}-{start + length - 1}/{size}"
        headers = {"Range": wanted.partition("/")[0].replace(" ", "=")}
        with self._answer(f"{self._path}/files/{number}", headers, 206) as answer:
            if answer.getheader("Content-Range") != wanted or _length(answer) != length:
                raise Untrue("its file has another size than it promised")
            yield from _blocks(answer, length)

    @contextlib.contextmanager
    def _answer(self, path: str, headers: dict[str, str], status: int) -> Generator[http.client.HTTPResponse]:
        headers = headers | {"Authorization": f"Bearer {self._source.token}", "Accept-Encoding": "identity"}
        try:
            connection = self._connected()
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            _check(answer, status)
            yield answer
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()  # what is left unread would be taken for the next answer
            raise

    def _connected(self) -> http.client.HTTPConnection:
        """Open a connection, by whichever of its addresses leads there."""
        if self._connection is not None:
            return self._connection
        last: OSError = OSError("it has no address")
        for url in map(_place, self._source.urls):
            if url is None:
                continue
            connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_CONNECT_WITHIN_S)
            try:
                connection.connect()
            except OSError as error:
                last = error
                continue
            assert connection.sock
            connection.sock.settimeout(_SILENT_FOR_S)
            self._connection = connection
            return connection
        raise last


def _place(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme == "http" and bool(parts.hostname and parts.port)
    except ValueError:
        return None
    return parts if is_one else None


def _check(answer: http.client.HTTPResponse, status: int) -> None:
    if answer.status != status:
        raise Broken(f"it answers {answer.status}")


def _length(answer: http.client.HTTPResponse) -> int:
    """Read how long the body is; one that does not say so may have no end."""
    told = answer.getheader("Content-Length", "")
    if answer.chunked or not told.isascii() or not told.isdigit():
        raise Untrue("its answer does not say how long it is")
    return int(told)


def _blocks(answer: http.client.HTTPResponse, length: int) -> Iterator[bytes]:
    began_s, came = time.monotonic(), 0
    while came < length:
        block = answer.read1(min(_BLOCK_BYTES, length - came))
        if not block:
            raise Broken("the connection ended in the middle")
        came += len(block)
        yield block
        took_s = time.monotonic() - began_s
        if took_s > _PACE_OVER_S and came < took_s * _SLOWEST_BYTES_PER_S:
            raise Broken("it is too slow")
    answer.read()  # nothing is left; the connection can be used again
