"""A machine on the loopback that gives a model away, honestly or not."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from shared.supply import Source, Supply
from worker.peer.manifest import File, Manifest, encode
from worker.peer.stock import given

TOKEN = "a-token"
QUEUE = "mine"

Misdeed = Literal["none", "wrong bytes", "endless", "wrong size", "breaks", "no code"]


class Neighbour:
    """Gives what lies in a folder; `misdeed` is what is wrong with its files, `manifest` may be made up."""

    def __init__(self, folder: Path, notes: Path, misdeed: Misdeed = "none") -> None:
        honest = given(QUEUE, folder, notes)
        self.paths, self.manifest, self.digest = honest.paths, honest.manifest, honest.digest
        self.bytes, self.fingerprint = honest.bytes, honest.fingerprint
        self.misdeed: Misdeed = misdeed
        self.ranges: list[str] = []
        neighbour = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                neighbour.answer(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name for it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def source(self) -> Source:
        """Where it is, as the pool tells it."""
        url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return Source(id=f"mac-{self.server.server_address[1]}.1", urls=(url,), token=TOKEN)

    def supply(self, *others: Source, fingerprint: str | None = None) -> Supply:
        """What the pool tells of its model, which others may have as well."""
        return Supply(
            queue=QUEUE,
            digest=self.digest,
            bytes=self.bytes,
            fingerprint=self.fingerprint if fingerprint is None else fingerprint,
            sources=(*others, self.source),
        )

    def claim(self, *files: File) -> None:
        """Have another manifest, with these files beside a configuration, told in the pool as well."""
        self.manifest, self.digest = encode(Manifest(QUEUE, (File("config.json", 0, ()), *files)))
        self.bytes = sum(file.size for file in files)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            request.send_error(404)
        elif request.path == f"/models/{self.digest}/manifest":
            self._send(request, 200, self.manifest)
        else:
            self._give(request, self.paths[int(request.path.rpartition("/")[2])])

    def _give(self, request: BaseHTTPRequestHandler, path: Path) -> None:
        wanted = request.headers["Range"]
        self.ranges.append(f"{path.name} {wanted}")
        first, last = (int(word) for word in wanted.removeprefix("bytes=").split("-"))
        with path.open("rb") as stream:
            stream.seek(first)
            data = stream.read(last + 1 - first)
        size = path.stat().st_size
        match self.misdeed:
            case "wrong bytes":
                self._send(request, 206, data[:-1] + b"?", first, size)
            case "wrong size":
                self._send(request, 206, data, first, size + 1)
            case "breaks" if first:
                self._send(request, 206, data, first, size, cut_at=len(data) // 2)
            case "endless":
                self._send_without_end(request, f"bytes {first}-{last}/{size}")
            case _:
                self._send(request, 206, data, first, size)

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        data: bytes,
        first: int = 0,
        size: int = 0,
        *,
        cut_at: int | None = None,
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        if status == 206:
            request.send_header("Content-Range", f"bytes {first}-{first + len(data) - 1}/{size}")
        request.end_headers()
        request.wfile.write(data[:cut_at])
        request.close_connection = cut_at is not None

    def _send_without_end(self, request: BaseHTTPRequestHandler, part: str) -> None:
        request.send_response(206)
        request.send_header("Content-Range", part)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        except OSError:
            request.close_connection = True


def put_model(folder: Path, weights: int = 100_000) -> Path:
    """Make a folder look like a whole model of about so many bytes, with something beside it that is never given."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "modeling.py").write_text("raise SystemExit")
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write((2).to_bytes(8, "little") + b"{}")
        stream.truncate(weights)
        stream.seek(weights - 5)
        stream.write(b"ends.")
    return folder
